-- Returns UIMessages without secrets, in their order: REDACT_BEFORE_PERSIST. Ids, types, states and
-- the bodies of data URLs stay as they are; every other string goes through the rules. All strings
-- of all messages go through them together, because a call of the rules for each message costs
-- several times as much as the rules do.

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
  v_open jsonb;
  v_redacted jsonb;
begin
  v_open := (
    select jsonb_agg(
      jsonb_build_object(
        'message', m.message - array['id', 'role', 'parts'],
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
          from jsonb_array_elements(m.message -> 'parts') with ordinality as e (part, place)
        ))
      order by m.place)
    from unnest(p_messages) with ordinality as m (message, place)
  );
  v_redacted := pgthreads.redact_json(v_open);
  if v_redacted = v_open then
    return p_messages;
  end if;
  return array(
    select case
      when r.redacted = r.open then r.message
      else r.message || (r.redacted -> 'message') || jsonb_build_object('parts', (
        select coalesce(jsonb_agg(
          e.part || e.redacted
            || case
              when jsonb_typeof(e.part -> 'approval') = 'object' then jsonb_build_object(
                'approval', (e.part -> 'approval') || (e.redacted -> 'approval'))
              else '{}'
            end
          order by e.place), '[]')
        from rows from (
          jsonb_array_elements(r.message -> 'parts'), jsonb_array_elements(r.redacted -> 'parts')
        ) with ordinality as e (part, redacted, place)
      ))
    end
    from rows from (
      unnest(p_messages), jsonb_array_elements(v_open), jsonb_array_elements(v_redacted)
    ) with ordinality as r (message, open, redacted, place)
    order by r.place
  );
end;
$$;

comment on function pgthreads.redact_messages(jsonb[]) is
  'The UIMessages with everything replaced that an enabled redaction rule finds.';
revoke all on function pgthreads.redact_messages(jsonb[]) from public;
