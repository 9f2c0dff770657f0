-- Whether an owner is the tenant of this transaction, by its name; always false where set_tenant
-- wants a token. Hot functions ask this before require_tenant(), which knows the rest: the planner
-- puts this expression in the place of its call, which it does for no function with a search_path
-- of its own.

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
  'Whether the argument is the tenant of this transaction and no token is needed to say so.';
revoke all on function pgthreads.is_named_tenant(text) from public;
