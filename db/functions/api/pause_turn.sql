-- Ends a turn as one whose answer waits, for a person's approval or for a tool that the client
-- runs: keeps the answer so far as the thread's open answer, with the last piece of the journal and
-- what was used, in one transaction. The answer is checked, redacted and limited as one that is
-- appended, but it is no message yet: MESSAGES_GROW_ONLY. Repeating a call changes nothing.
--
-- As for complete_turn, a lease that ran out is taken back as long as nobody took the thread over,
-- and usage that cannot be stored is left out. A turn that continues the open answer replaces it.
-- Locks: the thread's row, then the turn's.

create or replace function pgthreads.pause_turn(
  p_owner_user_id text,
  p_state_key text,
  p_turn_id text,
  p_message jsonb,
  p_usage jsonb default null,
  p_offset int default null,
  p_frames text default null
)
returns table (
  turn_id text,
  status text,
  message_id text,
  message_count int,
  calls jsonb,
  waits_until timestamptz,
  usage_refused text
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
  v_ready record;
  v_turn pgthreads.turn;
  v_now timestamptz;
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  perform pgthreads.require_state_key(p_state_key);
  begin
    if p_usage is not null then
      perform pgthreads.require_storable(p_usage, 'p_usage', 65536);
    end if;
  exception
    when sqlstate 'THMAX' or sqlstate 'THMSG' then
      p_usage := null;
      usage_refused := sqlstate;
  end;
  v_ready := pgthreads.ready_messages(jsonb_build_array(p_message));
  calls := pgthreads.waiting_calls(v_ready.bodies[1]::jsonb);
  message_id := v_ready.ids[1];
  turn_id := p_turn_id;
  status := 'waiting';

  perform pgthreads.require_thread(p_owner_user_id, p_state_key);
  select t.message_count into strict message_count
  from pgthreads.thread as t
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key;
  select n.* into v_turn
  from pgthreads.turn as n
  where n.owner_user_id = p_owner_user_id
    and n.state_key = p_state_key
    and n.turn_id = p_turn_id
  for update;
  if v_turn.status = 'waiting' and v_turn.assistant_message_id = message_id then
    select o.calls, o.open_since + c.max_wait into calls, waits_until
    from pgthreads.open_answer as o
    cross join pgthreads.config as c
    where o.owner_user_id = p_owner_user_id
      and o.state_key = p_state_key
      and o.turn_id = p_turn_id;
    return next;
    return;
  elsif v_turn.status is distinct from 'running' then
    raise exception 'this turn does not run' using
      errcode = 'THLST',
      detail = format('Turn %s of thread %s is %s.', p_turn_id, p_state_key,
        coalesce(v_turn.status, 'unknown')),
      hint = 'A turn ends once.';
  end if;
  if v_turn.continues is not null and v_turn.continues <> message_id then
    perform pgthreads.take_open_answer(
      p_owner_user_id, p_state_key, v_turn.continues, message_id);
  end if;
  if v_turn.continues is not null and exists (
    select
    from pgthreads.tool_response as r
    where r.owner_user_id = p_owner_user_id
      and r.state_key = p_state_key
      and r.message_id = v_ready.ids[1]
      and (
        select jsonb_object_agg(c.call ->> 'toolCallId', true)
        from jsonb_array_elements(calls) as c (call)
      ) ? r.tool_call_id
  ) then
    raise exception 'a call that had its response waits again' using
      errcode = 'THMSG',
      detail = format('A call that waits in message %L of thread %s has a response.', message_id,
        p_state_key),
      hint = 'A call takes one response: give the new call an id of its own.';
  end if;
  if exists (
    select
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = p_state_key
      and m.message_id = v_ready.ids[1]
  ) then
    raise exception 'this message id is stored already' using
      errcode = 'THDUP',
      detail = format('Thread %s holds a message %L.', p_state_key, message_id),
      hint = 'Messages never change: give the answer an id of its own.';
  end if;

  v_now := clock_timestamp();
  insert into pgthreads.open_answer as o
    (owner_user_id, state_key, turn_id, user_seq, message_id, message, digest, calls, open_since)
  values (
    p_owner_user_id, p_state_key, p_turn_id, v_turn.user_seq, message_id,
    v_ready.bodies[1]::json, sha256(convert_to(v_ready.bodies[1], 'UTF8')), calls, v_now
  )
  on conflict on constraint open_answer_pkey do update
  set turn_id = excluded.turn_id,
    message = excluded.message,
    digest = excluded.digest,
    calls = excluded.calls,
    open_since = excluded.open_since,
    continued_by = null;
  update pgthreads.thread as t
  set open_since = v_now, touched_xid = pg_current_xact_id()
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key;
  if p_frames is not null then
    perform pgthreads.write_frames(p_owner_user_id, p_state_key, p_turn_id, p_offset, p_frames);
  end if;
  update pgthreads.turn as n
  set status = 'waiting',
    usage = p_usage,
    assistant_message_id = v_ready.ids[1],
    finished_at = v_now
  where n.owner_user_id = p_owner_user_id
    and n.state_key = p_state_key
    and n.turn_id = p_turn_id;
  select v_now + c.max_wait into strict waits_until from pgthreads.config as c;
  return next;
end;
$$;

comment on function pgthreads.pause_turn(text, text, text, jsonb, jsonb, int, text) is
  'Ends a turn whose answer waits, and keeps the answer as the thread''s open answer.';
revoke all on function pgthreads.pause_turn(text, text, text, jsonb, jsonb, int, text) from public;
grant execute on function pgthreads.pause_turn(text, text, text, jsonb, jsonb, int, text)
  to pgthreads_server;
