-- Whether the arguments of a read can be used as they are: the owner is the tenant of this
-- transaction by its name alone, the state key is valid, and the window counts from 1. If this is
-- false, require_read() raises what is wrong, or finds that all is well because set_tenant wants a
-- token. The planner puts this expression in the place of its call, which it does for no function
-- with a search_path of its own.

create or replace function pgthreads.is_plain_read(
  p_owner_user_id text,
  p_state_key text,
  p_last int,
  p_before_seq int
)
returns boolean
language sql
stable
as $$
  select coalesce(
    pgthreads.is_named_tenant(p_owner_user_id)
      and pgthreads.is_state_key(p_state_key)
      and coalesce(p_last operator(pg_catalog.>) 0, true)
      and coalesce(p_before_seq operator(pg_catalog.>) 0, true),
    false);
$$;

comment on function pgthreads.is_plain_read(text, text, int, int) is
  'Whether a read needs no further look at its arguments, because require_read would not raise.';
revoke all on function pgthreads.is_plain_read(text, text, int, int) from public;
