-- Whether an owner is the tenant of this transaction by its name alone. This is always false if
-- set_tenant wants a token. Functions that are called often ask this first, and call
-- require_tenant(), which knows the rest, only if it is false. The planner puts this expression in
-- the place of its call, which it does for no function with a search_path of its own.

create or replace function pgthreads.is_named_tenant(p_owner_user_id text)
returns boolean
language sql
stable
as $$
  select coalesce(
    p_owner_user_id operator(pg_catalog.<>) ''
      and p_owner_user_id operator(pg_catalog.=)
        pg_catalog.current_setting('app.current_user_id', true)
      and not pgthreads.requires_token(),
    false);
$$;

comment on function pgthreads.is_named_tenant(text) is
  'Whether the argument is the tenant of this transaction, and no token has to prove that.';
revoke all on function pgthreads.is_named_tenant(text) from public;
