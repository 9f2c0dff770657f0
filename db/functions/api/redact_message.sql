-- Returns a UIMessage without secrets: REDACT_BEFORE_PERSIST. Ids, types, states and the bodies of
-- data URLs stay as they are; every other string goes through the rules. A message that the screen
-- finds clean is returned as it is.

create or replace function pgthreads.redact_message(p_message jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
as $$
begin
  if pg_column_size(p_message) > 32768 or not pgthreads.has_plain_numbers(p_message) then
    perform pgthreads.require_printable(p_message);
  end if;
  if not pgthreads.may_hold_secret((p_message - 'id')::text) then
    return p_message;
  end if;
  return (pgthreads.redact_messages(array[p_message]))[1];
end;
$$;

comment on function pgthreads.redact_message(jsonb) is
  'The UIMessage with everything replaced that an enabled redaction rule finds.';
revoke all on function pgthreads.redact_message(jsonb) from public;
grant execute on function pgthreads.redact_message(jsonb) to pgthreads_server;
