-- An open answer as the message that it becomes when nobody goes on with it: every call has ended.
-- What waits for an approval, and what was denied, is denied; the others are errors. p_status
-- stands in its metadata then, unless it is null. The message is put together as text, because each
-- step that makes a jsonb of thousands of parts takes ten times their memory.

create or replace function pgthreads.closed_answer(p_message jsonb, p_status text)
returns jsonb
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select (
    left((p_message - array['parts', 'metadata'])::text, -1)
    || case when p_message - array['parts', 'metadata'] = '{}' then '' else ', ' end
    || '"parts": [' || coalesce(string_agg(
      case
        when e.state = 'approval-requested' then e.part || jsonb_build_object(
          'state', 'output-denied',
          'approval', (e.part -> 'approval') || '{"approved": false, "reason": "not answered"}')
        when e.state = 'approval-responded' and e.part #> '{approval,approved}' = 'false'
          then e.part || '{"state": "output-denied"}'
        when e.state = 'approval-responded'
          then e.part || '{"state": "output-error", "errorText": "not run"}'
        when e.state = 'input-available'
          then e.part || '{"state": "output-error", "errorText": "not answered"}'
        else e.part
      end::text, ', ' order by e.place), '') || ']'
    || case
      when p_status is null then coalesce(', "metadata": ' || (p_message -> 'metadata')::text, '')
      else ', "metadata": ' || (case
          when jsonb_typeof(p_message -> 'metadata') = 'object' then p_message -> 'metadata'
          else '{}'
        end || jsonb_build_object('status', p_status))::text
    end || '}'
  )::jsonb
  from (
    select p.part, p.place, case
        when p.part ->> 'type' = 'dynamic-tool' or starts_with(p.part ->> 'type', 'tool-')
          then p.part ->> 'state'
      end as state
    from jsonb_array_elements(p_message -> 'parts') with ordinality as p (part, place)
  ) as e;
$$;

comment on function pgthreads.closed_answer(jsonb, text) is
  'The message that an open answer becomes when nobody goes on with it.';
revoke all on function pgthreads.closed_answer(jsonb, text) from public;
