-- Refuses arguments with which nothing can be read: an owner who is not the tenant, an invalid
-- state key, or a window that does not count from 1. Functions ask is_plain_read() first, and call
-- this only if that is false.

create or replace function pgthreads.require_read(
  p_owner_user_id text,
  p_state_key text,
  p_last int,
  p_before_seq int
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  perform pgthreads.require_state_key(p_state_key);
  perform pgthreads.require_window(p_last, p_before_seq);
end;
$$;

comment on function pgthreads.require_read(text, text, int, int) is
  'Raises THTEN, THKEY or invalid_parameter_value unless a read can have these arguments.';
revoke all on function pgthreads.require_read(text, text, int, int) from public;
