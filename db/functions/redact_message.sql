-- A UIMessage without secrets: REDACT_BEFORE_PERSIST. Ids, types and states are left alone, and so is
-- the body of a data URL; every other string goes through redact_text(). A message that the screen
-- finds clean comes back as it is.

create or replace function pgthreads.redact_message(p_message jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_kept constant text[] := array[
    'id', 'type', 'state', 'toolCallId', 'toolName', 'mediaType', 'sourceId', 'preliminary',
    'providerExecuted'];
  v_screen text := (select c.redaction_screen from pgthreads.config as c);
begin
  if v_screen is null or (p_message - 'id')::text !~ v_screen then
    return p_message;
  end if;
  return p_message
    || pgthreads.redact_json(p_message - array['id', 'role', 'parts'])
    || (
      select jsonb_build_object('parts', coalesce(jsonb_agg(
        e.part || pgthreads.redact_json(
          e.part - v_kept - case when e.part ->> 'url' ilike 'data:%' then 'url' else '' end)
          || case
            when jsonb_typeof(e.part -> 'approval') = 'object' then jsonb_build_object(
              'approval',
              (e.part -> 'approval') || pgthreads.redact_json((e.part -> 'approval') - 'id'))
            else '{}'
          end
        order by e.place), '[]'))
      from jsonb_array_elements(p_message -> 'parts') with ordinality as e (part, place)
    );
end;
$$;

comment on function pgthreads.redact_message(jsonb) is
  'The UIMessage with everything replaced that an enabled redaction rule finds.';
revoke all on function pgthreads.redact_message(jsonb) from public;
grant execute on function pgthreads.redact_message(jsonb) to pgthreads_server;
