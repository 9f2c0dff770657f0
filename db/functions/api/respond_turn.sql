-- Gives calls of the open answer their responses, and begins the turn that goes on with it when all
-- of them have theirs: TOOLS_ARE_SERVER_AUTHORED, for of the responses nothing is believed but what
-- require_responses() names, and only for calls that wait. A response is a fact: it is stored with
-- who gave it, it is taken once, and the same again changes nothing.
--
-- Without p_turn_id no turn is begun: for whoever may respond but does not run executors.
--
-- The answer with the responses applied is made ready before the lock is taken, and again only if
-- the open answer has changed by then: BOUNDED_WORK. Locks: the thread's row, then a turn's.

create or replace function pgthreads.respond_turn(
  p_owner_user_id text,
  p_state_key text,
  p_message_id text,
  p_responses jsonb,
  p_turn_id text default null,
  p_last int default null
)
returns table (
  outcome text,
  state_key text,
  turn_id text,
  message_count int,
  lease_until timestamptz,
  max_message_bytes int,
  history json,
  answer json,
  responses jsonb,
  missing jsonb
)
language plpgsql
volatile
rows 1
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_config pgthreads.config;
  v_given jsonb;
  v_open pgthreads.open_answer;
  v_message json;
  v_calls jsonb;
  v_known jsonb;
  v_new jsonb;
  v_applied jsonb;
  v_digest bytea;
  v_ready record;
  v_turn pgthreads.turn;
  v_fault record;
begin
  -- Look at the arguments.
  perform pgthreads.require_tenant(p_owner_user_id);
  perform pgthreads.require_state_key(p_state_key);
  if char_length(p_turn_id) not between 1 and 128 then
    raise exception 'not a turn id' using
      errcode = 'invalid_parameter_value',
      detail = 'A turn id has 1 to 128 characters.',
      hint = 'Make one with new_state_key().';
  end if;
  perform pgthreads.require_window(p_last, null);
  select c.* into strict v_config from pgthreads.config as c;
  v_given := pgthreads.require_responses(p_responses);

  -- Apply the responses that are new, first without the lock.
  for v_look in 1..2 loop
    if v_look = 2 then
      perform pgthreads.require_thread(p_owner_user_id, p_state_key);
      -- What a dead server has left of the continuation.
      select n.* into v_turn
      from pgthreads.turn as n
      where n.owner_user_id = p_owner_user_id
        and n.state_key = p_state_key
        and n.status = 'running'
      for update;
      if v_turn.lease_until <= clock_timestamp() then
        perform pgthreads.abandon_turn(p_owner_user_id, p_state_key, v_turn.turn_id);
        v_turn := null;
      end if;
    end if;
    select o.* into v_open
    from pgthreads.open_answer as o
    where o.owner_user_id = p_owner_user_id
      and o.state_key = p_state_key
      and o.message_id = p_message_id;
    -- What waits and what was given before, by the calls' ids: a join of sets of which the planner
    -- does not know the size may take quadratic time.
    select coalesce(jsonb_object_agg(c.call ->> 'toolCallId', c.call), '{}') into v_calls
    from jsonb_array_elements(v_open.calls) as c (call);
    -- They go through text, because jsonb_object_agg() takes quadratic time for one value of many
    -- strings.
    select ('{' || coalesce(string_agg(to_json(r.tool_call_id)::text || ': '
      || jsonb_build_object('response', r.response, 'respondedAt', r.responded_at)::text, ', '), '')
      || '}')::jsonb
    into v_known
    from pgthreads.tool_response as r
    where r.owner_user_id = p_owner_user_id
      and r.state_key = p_state_key
      and r.message_id = p_message_id;
    select ('{' || coalesce(string_agg(
      to_json(g.id)::text || ': ' || g.response::text, ', '), '') || '}')::jsonb
    into v_new
    from jsonb_to_recordset(v_given) as j ("toolCallId" text, response jsonb)
    cross join lateral (select j."toolCallId", j.response) as g (id, response)
    where not v_known ? g.id
      and (v_calls -> g.id ->> 'kind' = 'approval') = (g.response ? 'approved');
    if v_new <> '{}' and (v_new = v_applied and v_open.digest = v_digest) is not true then
      v_ready := pgthreads.ready_messages(
        jsonb_build_array(pgthreads.answer_calls(v_open.message::jsonb, v_new)));
      v_applied := v_new;
      v_digest := v_open.digest;
    end if;
  end loop;

  -- Refuse responses to what does not wait, other ones than before, and those of other logins.
  select g.id, v_calls -> g.id ->> 'kind' as kind, v_known -> g.id ->> 'respondedAt' as responded_at
  into v_fault
  from rows from (
    jsonb_to_recordset(v_given) as ("toolCallId" text, response jsonb)
  ) with ordinality as g (id, response, place)
  where case
    when v_known ? g.id then v_known -> g.id -> 'response' <> g.response
      and v_known -> g.id -> 'response' <> pgthreads.redact_json(g.response)
    else (v_calls -> g.id ->> 'kind' = 'approval') is distinct from (g.response ? 'approved')
  end
  order by g.place
  limit 1;
  if found and v_fault.responded_at is not null then
    raise exception 'this call has another response' using
      errcode = 'THRSP',
      detail = format('Call %L of message %L was responded to at %s.', left(v_fault.id, 256),
        left(p_message_id, 256), v_fault.responded_at),
      hint = 'A call takes one response. Load the thread again.';
  elsif found then
    raise exception 'this call does not wait' using
      errcode = 'THWAI',
      detail = case
        when v_open.message_id is null then format('Message %L of thread %s does not wait.',
          left(p_message_id, 256), p_state_key)
        when v_fault.kind is null then format('Call %L of message %L does not wait.',
          left(v_fault.id, 256), left(p_message_id, 256))
        when v_fault.kind = 'approval' then format('Call %L waits for an approval.',
          left(v_fault.id, 256))
        else format('Call %L waits for the output of a tool.', left(v_fault.id, 256))
      end,
      hint = 'Load the thread again: read_open_answer shows what waits.';
  end if;
  perform pgthreads.require_approver(a.tool_name)
  from (
    select distinct v_calls -> n.key ->> 'toolName' as tool_name
    from jsonb_each(v_new) as n
    where n.value -> 'approved' = 'true'
  ) as a;

  -- Write.
  state_key := p_state_key;
  v_message := v_open.message;
  if v_new <> '{}' then
    insert into pgthreads.tool_response
      (owner_user_id, state_key, message_id, tool_call_id, tool_name, kind, response, input_sha256,
        responded_by)
    select p_owner_user_id, p_state_key, p_message_id, e.id, c.call ->> 'toolName',
      c.call ->> 'kind',
      -- As it was redacted with the answer.
      case
        when n.response ? 'approved' then jsonb_strip_nulls(jsonb_build_object(
          'approved', e.part #> '{approval,approved}', 'reason', e.part #> '{approval,reason}'))
        when n.response ? 'output' then jsonb_build_object('output', e.part -> 'output')
        else jsonb_build_object('errorText', e.part -> 'errorText')
      end,
      c.call ->> 'inputSha256', session_user
    from (
      select p.part, p.part ->> 'toolCallId' as id
      from jsonb_array_elements(v_ready.bodies[1]::jsonb -> 'parts') as p (part)
    ) as e
    cross join lateral (select v_new -> e.id) as n (response)
    cross join lateral (select v_calls -> e.id) as c (call)
    where v_new ? e.id;
    v_message := v_ready.bodies[1]::json;
    update pgthreads.open_answer as o
    set message = v_message,
      digest = sha256(convert_to(v_ready.bodies[1], 'UTF8'))
    where o.owner_user_id = p_owner_user_id and o.state_key = p_state_key;
    perform pgthreads.touch_thread(p_owner_user_id, p_state_key);
  end if;
  select t.message_count into strict message_count
  from pgthreads.thread as t
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key;

  -- The answer is complete, or another turn goes on with it.
  if v_open.message_id is null then
    select m.message into answer
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = p_state_key
      and m.message_id = p_message_id
      and m.message ->> 'role' = 'assistant';
    if not found then
      raise exception 'no such answer waits' using
        errcode = 'THWAI',
        detail = format('Thread %s has no answer %L.', p_state_key, left(p_message_id, 256)),
        hint = 'Load the thread again: read_open_answer shows what waits.';
    end if;
    outcome := 'answered';
    return next;
    return;
  end if;
  if v_turn.turn_id is not null and v_turn.turn_id is distinct from p_turn_id then
    outcome := 'running';
    turn_id := v_turn.turn_id;
    lease_until := v_turn.lease_until;
    max_message_bytes := v_config.max_message_bytes;
    return next;
    return;
  end if;

  answer := v_message;
  select coalesce(
      to_jsonb(array_agg(e.call order by e.place) filter (where e.call ? 'respondedBy')), '[]'),
    jsonb_agg(e.call -> 'toolCallId' order by e.place) filter (where not e.call ? 'respondedBy')
  into strict responses, missing
  from jsonb_array_elements(
    pgthreads.call_responses(p_owner_user_id, p_state_key, p_message_id, v_open.calls)
  ) with ordinality as e (call, place);
  if missing is not null or p_turn_id is null then
    outcome := case when missing is null then 'ready' else 'waiting' end;
    return next;
    return;
  end if;

  -- Go on.
  if v_turn.turn_id is null then
    perform pgthreads.require_turn_quota(p_owner_user_id);
    insert into pgthreads.turn as n
      (owner_user_id, state_key, turn_id, lease_until, user_seq, begun_count, continues)
    values (
      p_owner_user_id, p_state_key, p_turn_id, clock_timestamp() + v_config.lease,
      v_open.user_seq, message_count, p_message_id
    )
    on conflict on constraint turn_pkey do nothing
    returning n.* into v_turn;
    if not found then
      perform
      from pgthreads.turn as n
      where n.owner_user_id = p_owner_user_id
        and n.state_key = p_state_key
        and n.turn_id = p_turn_id
        and n.continues = p_message_id;
      if found then
        raise exception 'this turn has already ended' using
          errcode = 'THLST',
          detail = format('Turn %s of thread %s ended before this call was repeated.',
            p_turn_id, p_state_key),
          hint = 'Begin another turn.';
      end if;
      raise exception 'this turn id was used before' using
        errcode = 'invalid_parameter_value',
        detail = format('Thread %s has a turn %s that has ended.', p_state_key, p_turn_id),
        hint = 'Make a new turn id with new_state_key().';
    end if;
    update pgthreads.open_answer as o
    set continued_by = p_turn_id
    where o.owner_user_id = p_owner_user_id and o.state_key = p_state_key;
    perform pgthreads.touch_thread(p_owner_user_id, p_state_key);
  end if;
  outcome := 'started';
  turn_id := p_turn_id;
  lease_until := v_turn.lease_until;
  max_message_bytes := v_config.max_message_bytes;
  history := pgthreads.prompt_history(
    p_owner_user_id, p_state_key, v_open.user_seq, p_last, v_config.max_prompt_bytes);
  return next;
end;
$$;

comment on function pgthreads.respond_turn(text, text, text, jsonb, text, int) is
  'Gives calls that wait their responses; begins the turn that goes on when all have theirs.';
revoke all on function pgthreads.respond_turn(text, text, text, jsonb, text, int) from public;
grant execute on function pgthreads.respond_turn(text, text, text, jsonb, text, int)
  to pgthreads_server;
