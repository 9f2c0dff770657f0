-- An open answer with what its continuation has sent before its server died, closed as abandoned:
-- what a client has made of both. p_frames are the frames of the turn that continued it, from their
-- start. A result in them ends the call of the open answer that it belongs to; data with the id of
-- data in the open answer takes its place; all else comes behind. BOUNDED_WORK: as
-- assemble_message().

create or replace function pgthreads.continued_answer(p_message jsonb, p_frames text)
returns jsonb
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_calls text;
  v_rest jsonb;
  v_parts text;
  v_text text;
  v_message jsonb;
begin
  -- assemble_message() leaves out results without a call, so it is told of the calls that may run.
  select string_agg(format(E'data: %s\n\n', jsonb_build_object(
      'type', 'tool-input-start', 'dynamic', true, 'toolName', '-',
      'toolCallId', e.part -> 'toolCallId')), '')
  into v_calls
  from jsonb_array_elements(p_message -> 'parts') as e (part)
  where e.part ->> 'state' = 'approval-responded'
    and e.part #> '{approval,approved}' = 'true';
  v_rest := pgthreads.assemble_message(coalesce(v_calls, '') || coalesce(p_frames, ''));
  if v_rest is null then
    return pgthreads.closed_answer(p_message, 'abandoned');
  end if;

  with part as (
    select e.part, e.place, coalesce(
        'call ' || (e.part ->> 'toolCallId'),
        case
          when starts_with(e.part ->> 'type', 'data-') and e.part ? 'id'
            then concat_ws(' ', e.part ->> 'type', e.part ->> 'id')
        end) as name
    from jsonb_array_elements(p_message -> 'parts') with ordinality as e (part, place)
  ),
  later as (
    select e.part, e.place, coalesce(
        'call ' || (e.part ->> 'toolCallId'),
        case
          when starts_with(e.part ->> 'type', 'data-') and e.part ? 'id'
            then concat_ws(' ', e.part ->> 'type', e.part ->> 'id')
        end) as name
    from jsonb_array_elements(v_rest -> 'parts') with ordinality as e (part, place)
  ),
  both_parts as (
    select 1 as half, p.place, case
        when l.part is null then p.part
        when p.part ? 'toolCallId' then p.part || jsonb_strip_nulls(jsonb_build_object(
          'state', l.part -> 'state', 'errorText', l.part -> 'errorText'))
          || case when l.part ? 'output' then jsonb_build_object('output', l.part -> 'output')
            else '{}' end
        else l.part
      end as part
    from part as p
    left join later as l on l.name = p.name
      and (p.part ->> 'state' = 'approval-responded' or not p.part ? 'toolCallId')
    union all
    select 2, l.place, l.part
    from later as l
    where not exists (select from part as p where p.name = l.name)
  )
  select string_agg(b.part::text, ', ' order by b.half, b.place) into strict v_parts
  from both_parts as b;
  -- It is put together as text, because each step that makes a jsonb of thousands of parts takes
  -- ten times their memory. Of two members with the same name, jsonb keeps the last one.
  v_text := left((p_message - 'parts')::text, -1) || ', "parts": [' || v_parts
    || '], "metadata": ' || pgthreads.merge_json(
      case
        when jsonb_typeof(p_message -> 'metadata') = 'object' then p_message -> 'metadata'
        else '{}'
      end,
      v_rest -> 'metadata')::text || '}';
  v_rest := null;
  v_parts := null;
  v_message := v_text::jsonb;
  v_text := null;
  return pgthreads.closed_answer(v_message, 'abandoned');
end;
$$;

comment on function pgthreads.continued_answer(jsonb, text) is
  'An open answer with what its continuation has sent, closed as one that was abandoned.';
revoke all on function pgthreads.continued_answer(jsonb, text) from public;
