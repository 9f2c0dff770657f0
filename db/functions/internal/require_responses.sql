-- What counts of the responses that a caller gives: an array of {toolCallId, response}, each call
-- once, where response is {approved, reason?}, {output} or {errorText}. They come from a client, so
-- depth, size and types are looked at before anything else is: BOUNDED_WORK. Raises THMSG or THMAX,
-- and THRSP for two different responses to one call.

create or replace function pgthreads.require_responses(p_responses jsonb)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_limit int := (select c.max_message_bytes from pgthreads.config as c);
  v_fault text;
  v_call text;
  v_responses jsonb;
begin
  if p_responses is null or jsonb_typeof(p_responses) <> 'array' then
    raise exception 'not an array of responses' using
      errcode = 'THMSG',
      detail = format('p_responses is %s.', coalesce(jsonb_typeof(p_responses), 'null')),
      hint = pgthreads.json_hint(
        p_responses, 'array', 'Pass a jsonb array, also for one response.');
  end if;
  perform pgthreads.require_storable(p_responses, 'p_responses', v_limit);
  select format('p_responses[%s] %s', e.place - 1, f.fault) into v_fault
  from jsonb_array_elements(p_responses) with ordinality as e (value, place)
  cross join lateral (
    select case
      when jsonb_typeof(e.value) <> 'object' then 'is no object.'
      when jsonb_typeof(e.value -> 'toolCallId') is distinct from 'string' then 'has no toolCallId.'
      when (e.value ? 'approved')::int + (e.value ? 'output')::int
        + (e.value ? 'errorText')::int <> 1
        then 'has not exactly one of approved, output and errorText.'
      when e.value ? 'approved' and jsonb_typeof(e.value -> 'approved') <> 'boolean'
        then 'has an approved that is no boolean.'
      when e.value ? 'approved' and jsonb_typeof(e.value -> 'reason') not in ('string', 'null')
        then 'has a reason that is no string.'
      when e.value ? 'errorText' and jsonb_typeof(e.value -> 'errorText') <> 'string'
        then 'has an errorText that is no string.'
    end as fault
  ) as f
  where f.fault is not null
  order by e.place
  limit 1;
  if found then
    raise exception 'not a response' using
      errcode = 'THMSG',
      detail = v_fault,
      hint = 'A response is {toolCallId, approved, reason?}, {toolCallId, output} or'
        || ' {toolCallId, errorText}.';
  end if;
  with given as (
    select e.value ->> 'toolCallId' as id, e.place,
      case
        when e.value ? 'approved' then jsonb_strip_nulls(jsonb_build_object(
          'approved', e.value -> 'approved', 'reason', e.value -> 'reason'))
        when e.value ? 'output' then jsonb_build_object('output', e.value -> 'output')
        else jsonb_build_object('errorText', e.value -> 'errorText')
      end as response
    from jsonb_array_elements(p_responses) with ordinality as e (value, place)
  ),
  -- A join of the first responses with all would take quadratic time.
  compared as (
    select g.id, g.place, g.response,
      lag(g.response) over (partition by g.id order by g.place) as before
    from given as g
  )
  select min(c.id) filter (where c.before <> c.response),
    coalesce(
      to_jsonb(array_agg(
        jsonb_build_object('toolCallId', c.id, 'response', c.response) order by c.place)
        filter (where c.before is null)),
      '[]')
  into strict v_call, v_responses
  from compared as c;
  if v_call is not null then
    raise exception 'a call has two different responses' using
      errcode = 'THRSP',
      detail = format('p_responses has more than one response to call %L.', left(v_call, 256)),
      hint = 'Give each call one response.';
  end if;
  return v_responses;
end;
$$;

comment on function pgthreads.require_responses(jsonb) is
  'What counts of an array of responses, each call once; raises THMSG, THMAX or THRSP.';
revoke all on function pgthreads.require_responses(jsonb) from public;
