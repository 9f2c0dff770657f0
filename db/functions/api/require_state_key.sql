-- Refuses an argument that is not a state key: STATE_KEY_LIFECYCLE.

create or replace function pgthreads.require_state_key(p_state_key text)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if pgthreads.is_state_key(p_state_key) is not true then
    raise exception 'not a state key' using
      errcode = 'THKEY',
      detail = format('The key is %s.', coalesce(quote_literal(left(p_state_key, 140)), 'null')),
      hint = 'Use 1 to 128 letters, digits, underscores and hyphens.';
  end if;
end;
$$;

comment on function pgthreads.require_state_key(text) is
  'Raises THKEY unless the argument is a state key.';
revoke all on function pgthreads.require_state_key(text) from public;
grant execute on function pgthreads.require_state_key(text)
  to pgthreads_server, pgthreads_maintenance;
