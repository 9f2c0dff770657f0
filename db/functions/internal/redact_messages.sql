-- Returns UIMessages without secrets, in their order: REDACT_BEFORE_PERSIST. Ids, types, states and
-- the bodies of data URLs stay as they are; every other string goes through the rules.
--
-- All strings of all messages go through the rules together, because a call for each message costs
-- several times as much as the rules do. What goes in and what comes out is put together as text,
-- because each step that makes a jsonb of many strings costs as much as the rules. What stays as it
-- is goes through them, too, and is put back; the bodies of data URLs are long and do not.

create or replace function pgthreads.redact_messages(p_messages jsonb[])
returns jsonb[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
  v_kept constant text[] := array[
    'id', 'type', 'state', 'toolCallId', 'toolName', 'mediaType', 'sourceId', 'preliminary',
    'providerExecuted'];
  v_text text;
  v_redacted text;
begin
  v_text := (
    select '[' || string_agg(
      '{"message": ' || (m.message - array['id', 'role', 'parts'])::text || ', "parts": ['
        || coalesce((
          select string_agg((
            case when e.part ->> 'url' ilike 'data:%' then e.part - 'url' else e.part end
          )::text, ', ' order by e.place)
          from jsonb_array_elements(m.message -> 'parts') with ordinality as e (part, place)
        ), '') || ']}', ', ' order by m.place) || ']'
    from unnest(p_messages) with ordinality as m (message, place)
  );
  v_redacted := pgthreads.redact_json_text(v_text);
  if v_redacted = v_text then
    return p_messages;
  end if;
  -- Of two members with the same name, jsonb keeps the last one.
  return array(
    select (
      '{' || case
        when r.redacted -> 'message' = '{}' then ''
        else left(right((r.redacted -> 'message')::text, -1), -1) || ', '
      end || coalesce('"id": ' || (r.message -> 'id')::text || ', ', '')
        || coalesce('"role": ' || (r.message -> 'role')::text || ', ', '')
        || '"parts": [' || coalesce((
          select string_agg(case
            when jsonb_typeof(e.redacted) <> 'object' then e.redacted::text
            when e.redacted = '{}' then e.part::text
            else left(e.redacted::text, -1) || (
              select coalesce(string_agg(
                ', ' || to_jsonb(k.name)::text || ': ' || (e.part -> k.name)::text, ''), '')
              from unnest(v_kept) as k (name)
              where e.part ? k.name
            ) || case
              when e.part ->> 'url' ilike 'data:%' then ', "url": ' || (e.part -> 'url')::text
              else ''
            end || case
              when jsonb_typeof(e.part -> 'approval') = 'object' and e.part -> 'approval' ? 'id'
                then ', "approval": ' || ((e.redacted -> 'approval')
                  || jsonb_build_object('id', e.part -> 'approval' -> 'id'))::text
              else ''
            end || '}'
          end, ', ' order by e.place)
          from rows from (
            jsonb_array_elements(r.message -> 'parts'), jsonb_array_elements(r.redacted -> 'parts')
          ) with ordinality as e (part, redacted, place)
        ), '') || ']}'
    )::jsonb
    from rows from (unnest(p_messages), jsonb_array_elements(v_redacted::jsonb)) with ordinality
      as r (message, redacted, place)
    order by r.place
  );
end;
$$;

comment on function pgthreads.redact_messages(jsonb[]) is
  'The UIMessages with everything replaced that an enabled redaction rule finds.';
revoke all on function pgthreads.redact_messages(jsonb[]) from public;
