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
declare
  v_kept constant text[] := array[
    'id', 'type', 'state', 'toolCallId', 'toolName', 'mediaType', 'sourceId', 'preliminary',
    'providerExecuted'];
  v_open jsonb;
  v_redacted jsonb;
begin
  if pg_column_size(p_message) > 32768 or not pgthreads.has_plain_numbers(p_message) then
    perform pgthreads.require_printable(p_message);
  end if;
  if not pgthreads.may_hold_secret((p_message - 'id')::text) then
    return p_message;
  end if;
  -- All that has to be looked at goes into one value, so that the cost does not grow with the
  -- number of parts.
  v_open := jsonb_build_object(
    'message', p_message - array['id', 'role', 'parts'],
    'parts', (
      select coalesce(jsonb_agg(
        e.part - v_kept
          - case when e.part ->> 'url' ilike 'data:%' then array['url'] else array[]::text[] end
          || case
            when jsonb_typeof(e.part -> 'approval') = 'object'
              then jsonb_build_object('approval', (e.part -> 'approval') - 'id')
            else '{}'
          end
        order by e.place), '[]')
      from jsonb_array_elements(p_message -> 'parts') with ordinality as e (part, place)
    ));
  v_redacted := pgthreads.redact_json(v_open);
  if v_redacted = v_open then
    return p_message;
  end if;
  return p_message || (v_redacted -> 'message') || jsonb_build_object('parts', (
    select coalesce(jsonb_agg(
      e.part || e.redacted
        || case
          when jsonb_typeof(e.part -> 'approval') = 'object' then jsonb_build_object(
            'approval', (e.part -> 'approval') || (e.redacted -> 'approval'))
          else '{}'
        end
      order by e.place), '[]')
    from rows from (
      jsonb_array_elements(p_message -> 'parts'), jsonb_array_elements(v_redacted -> 'parts')
    ) with ordinality as e (part, redacted, place)
  ));
end;
$$;

comment on function pgthreads.redact_message(jsonb) is
  'The UIMessage with everything replaced that an enabled redaction rule finds.';
revoke all on function pgthreads.redact_message(jsonb) from public;
grant execute on function pgthreads.redact_message(jsonb) to pgthreads_server;
