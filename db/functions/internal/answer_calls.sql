-- An answer with responses applied to the calls that wait for them. p_responses is an object with
-- the response to each call under its id; what does not wait stays as it is. The answer is put
-- together as text, as in closed_answer().

create or replace function pgthreads.answer_calls(p_message jsonb, p_responses jsonb)
returns jsonb
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select (left((p_message - 'parts')::text, -1)
    || case when p_message - 'parts' = '{}' then '' else ', ' end
    || '"parts": [' || coalesce(string_agg(
    case
      when e.part ->> 'state' = 'approval-requested' and r.response ? 'approved'
        then e.part || jsonb_build_object(
          'state', 'approval-responded', 'approval', (e.part -> 'approval') || r.response)
      when e.part ->> 'state' = 'input-available' and r.response ? 'output'
        then e.part || '{"state": "output-available"}' || r.response
      when e.part ->> 'state' = 'input-available' and r.response ? 'errorText'
        then e.part || '{"state": "output-error"}' || r.response
      else e.part
    end::text, ', ' order by e.place), '') || ']}')::jsonb
  from jsonb_array_elements(p_message -> 'parts') with ordinality as e (part, place)
  cross join lateral (select p_responses -> (e.part ->> 'toolCallId')) as r (response);
$$;

comment on function pgthreads.answer_calls(jsonb, jsonb) is
  'The answer with responses applied to the calls that wait for them.';
revoke all on function pgthreads.answer_calls(jsonb, jsonb) from public;
