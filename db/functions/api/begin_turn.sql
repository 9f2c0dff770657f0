-- Starts a turn: appends the user message, takes the lease and returns the history for the prompt,
-- in one call that commits before the model is asked. Keeps ONE_TURN_PER_THREAD, EXACTLY_ONCE and
-- CLIENT_SENDS_USER_ONLY. Locks: the thread's row, then a turn's row.
--
-- A message that is stored already never starts a second turn for the same answer. The outcome is
--   running   if its turn runs; turn_id names it
--   answered  if its answer is stored or waits, even if that is the partial answer of a dead
--             worker; answer has it
--   started   if nothing answered it and nothing follows it, so that a new turn begins; and if this
--             very call, with the same turn id, was made before.
--
-- While another turn runs, p_busy says what happens. reject raises THTRN. interrupt asks that turn
-- to stop and waits until it ends, and enqueue only waits. Whoever has to wait gets the outcome
-- waiting: nothing is appended, and the caller calls again with the same message until it gets
-- another outcome.
--
-- find_question() finds out what is asked from what the page shows: p_message is the page's last
-- user message, p_parent_id is the id of the message before it ('' if there is none), p_replaces is
-- the message that the turn replaces, and p_regenerate says that p_message is to be answered again.
-- p_on_stale says where a new message goes that does not continue the newest branch: append puts it
-- at the end all the same, branch puts it behind its parent, and reject raises THSTL. Without
-- p_on_stale, parents do not count, and neither does p_message if p_regenerate is set: so calls of
-- earlier releases mean what they meant.

create or replace function pgthreads.begin_turn(
  p_owner_user_id text,
  p_state_key text,
  p_message jsonb,
  p_turn_id text,
  p_last int default null,
  p_metadata jsonb default null,
  p_replaces text default null,
  p_regenerate boolean default false,
  p_busy text default 'reject',
  p_parent_id text default null,
  p_on_stale text default null
)
returns table (
  outcome text,
  state_key text,
  turn_id text,
  message_count int,
  lease_until timestamptz,
  max_message_bytes int,
  history json,
  answer json
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
  v_key text := p_state_key;
  v_count int;
  v_message jsonb;
  v_id text;
  v_seq int;
  v_appended int := 0;
  v_parent_id text;
  v_anew boolean := false;
  v_attaches boolean := false;
  v_ticket text;
  v_answer_seq int;
  v_answer json;
  v_turn pgthreads.turn;
  v_from int;
  v_lease interval;
  v_lease_until timestamptz;
  v_max_bytes int;
  v_max_prompt_bytes int;
  v_max_messages int;
  v_free boolean;
  v_left boolean;
  v_open pgthreads.open_answer;
begin
  -- Look at the arguments.
  if (pgthreads.is_named_tenant(p_owner_user_id)
    and char_length(p_turn_id) between 1 and 128
    and coalesce(p_last > 0, true)
    and coalesce(p_on_stale in ('append', 'branch', 'reject'), true)) is not true
  then
    perform pgthreads.require_tenant(p_owner_user_id);
    if p_turn_id is null or char_length(p_turn_id) not between 1 and 128 then
      raise exception 'not a turn id' using
        errcode = 'invalid_parameter_value',
        detail = 'A turn id has 1 to 128 characters.',
        hint = 'Make one with new_state_key().';
    end if;
    if p_last < 1 then
      perform pgthreads.require_window(p_last, null);
    end if;
    if p_on_stale not in ('append', 'branch', 'reject') then
      raise exception 'not a value of p_on_stale' using
        errcode = 'invalid_parameter_value',
        detail = format('p_on_stale is %L.', left(p_on_stale, 80)),
        hint = 'Pass append, branch or reject.';
    end if;
  end if;

  -- Find the question. Nearly always it is a new message for the end of the thread, and then there
  -- is nothing to find.
  if p_state_key is not null
    and (p_replaces is not null or p_regenerate
      or p_parent_id is not null and p_on_stale <> 'append')
  then
    select q.message_count, q.seq, q.message_id, q.message, q.parent_id, q.anew, q.attaches,
      q.answer_seq
    into strict v_count, v_seq, v_id, v_message, v_parent_id, v_anew, v_attaches,
      v_answer_seq
    from pgthreads.find_question(
      p_owner_user_id, p_state_key, p_message, p_turn_id, p_replaces, p_regenerate, p_parent_id,
      p_on_stale) as q;
  else
    v_message := pgthreads.require_user_message(p_message);
    v_id := v_message ->> 'id';
  end if;

  -- Wait for the turn that runs, and for the messages that came first.
  if p_busy is distinct from 'reject' then
    v_ticket := v_id;
    -- A question that is being answered and is to be answered again waits under a name of its own,
    -- as another question would.
    if p_busy = 'interrupt' and p_regenerate and p_on_stale is not null then
      v_ticket := '~' || v_id;
    end if;
    if v_attaches then
      delete from pgthreads.queued_turn as q
      where q.owner_user_id = p_owner_user_id
        and q.state_key = p_state_key
        and q.message_id = v_ticket;
    else
      return query
        select 'waiting', p_state_key, w.turn_id, w.message_count, w.lease_until, null::int,
          null::json, null::json
        from pgthreads.wait_for_turn(p_owner_user_id, p_state_key, v_ticket,
          v_anew and v_answer_seq is null, p_busy) as w;
      if found then
        return;
      end if;
    end if;
  end if;

  -- Append the question.
  if v_seq is null then
    select a.state_key, a.message_count, a.message_count, a.appended
    into strict v_key, v_count, v_seq, v_appended
    from pgthreads.append_thread(
      p_owner_user_id, p_state_key, jsonb_build_array(v_message), null, null, p_metadata,
      v_parent_id) as a;
    if v_appended = 0 then
      select m.seq into strict v_seq
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id and m.state_key = v_key and m.message_id = v_id;
    end if;
  end if;

  -- If the question was stored before, its turn may run, or may have ended with an answer.
  if v_appended = 0 then
    select n.* into v_turn
    from pgthreads.turn as n
    where n.owner_user_id = p_owner_user_id and n.state_key = v_key and n.status = 'running'
    for update;
    if v_turn.user_seq = v_seq and v_turn.lease_until > clock_timestamp() then
      return query
        select case when v_turn.turn_id = p_turn_id then 'started' else 'running' end,
          v_key, v_turn.turn_id, v_count, v_turn.lease_until, c.max_message_bytes,
          case
            when v_turn.turn_id = p_turn_id
              then pgthreads.prompt_history(
                p_owner_user_id, v_key, v_seq, p_last, c.max_prompt_bytes)
          end,
          null::json
        from pgthreads.config as c;
      return;
    end if;
    if v_turn.lease_until <= clock_timestamp() then
      v_count := v_count
        + pgthreads.abandon_turn(p_owner_user_id, v_key, v_turn.turn_id);
      v_turn := null;
    end if;
    -- An answer that waits is the answer to its question. Any other turn closes it.
    select o.* into v_open
    from pgthreads.open_answer as o
    where o.owner_user_id = p_owner_user_id and o.state_key = v_key;
    if v_open.user_seq = v_seq
      and (not v_anew or v_answer_seq > v_count or v_open.turn_id = p_turn_id)
    then
      return query select
        'answered', v_key, null::text, v_count, null::timestamptz, null::int, null::json,
        v_open.message;
      return;
    end if;
    if not v_anew then
      v_answer_seq := pgthreads.newest_answer(p_owner_user_id, v_key, v_seq);
    end if;
    if v_answer_seq is not null then
      select m.message into strict v_answer
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = v_key
        and m.seq between v_answer_seq and v_answer_seq
      order by m.seq;
      return query select
        'answered', v_key, null::text, v_count, null::timestamptz, null::int, null::json, v_answer;
      return;
    end if;
    if not v_anew and v_seq < v_count then
      raise exception 'this message has no answer, and other messages follow it' using
        errcode = 'THDUP',
        detail = format('Message %L of thread %s is number %s of %s.', v_id, v_key, v_seq,
          v_count),
        hint = 'Send it again with a new id, or pass p_regenerate to have it answered there.';
    end if;
    if v_turn.lease_until > clock_timestamp() then
      raise exception 'a turn is running' using
        errcode = 'THTRN',
        detail = format('Turn %s of thread %s runs until %s at least.', v_turn.turn_id, v_key,
          v_turn.lease_until),
        hint = 'Wait for its end, or ask it to stop with request_stop.';
    end if;
    if v_open.message_id is not null then
      v_count := v_count + pgthreads.close_answer(p_owner_user_id, v_key, 'stopped');
    end if;
  end if;

  -- Start. One statement asks for all that is usually true: there is room for an answer, the owner
  -- may have one more turn, and the id of this one is new. It also asks where the history begins,
  -- and whether something is left of the journals of earlier turns.
  v_from := greatest(v_seq - p_last + 1, 1);
  select c.lease, c.max_message_bytes, c.max_prompt_bytes, c.max_messages,
    v_count < c.max_messages
      and case
        when c.max_turns_per_owner is null then true
        else c.max_turns_per_owner > (
          select count(*)
          from (
            select
            from pgthreads.turn as n
            where n.owner_user_id = p_owner_user_id
              and n.status = 'running'
              and n.lease_until > clock_timestamp()
            limit c.max_turns_per_owner
          ) as r
        )
      end
      and not exists (
        select
        from pgthreads.turn as n
        where n.owner_user_id = p_owner_user_id
          and n.state_key = v_key
          and n.turn_id = p_turn_id
      ),
    exists (
      select
      from pgthreads.journal as j
      where j.owner_user_id = p_owner_user_id
        and j.state_key = v_key
        and j.created_at < clock_timestamp() - interval '10 seconds'
    ),
    s.seq
  into strict v_lease, v_max_bytes, v_max_prompt_bytes, v_max_messages, v_free, v_left, v_from
  from pgthreads.config as c
  left join lateral pgthreads.prompt_start(
    p_owner_user_id, v_key, v_from, v_seq, c.max_prompt_bytes) as s on true;
  if v_free is not true then
    if v_count >= v_max_messages then
      raise exception 'the thread has no room for an answer' using
        errcode = 'THMAX',
        detail = format('Thread %s would have %s messages before the answer; the limit is %s.',
          v_key, v_count, v_max_messages),
        hint = 'Start a new thread.';
    end if;
    perform pgthreads.require_turn_quota(p_owner_user_id);
    select n.* into v_turn
    from pgthreads.turn as n
    where n.owner_user_id = p_owner_user_id
      and n.state_key = v_key
      and n.turn_id = p_turn_id;
    if v_turn.user_seq = v_seq then
      raise exception 'this turn has already ended' using
        errcode = 'THLST',
        detail = format('Turn %s of thread %s ended before this call was repeated.',
          p_turn_id, v_key),
        hint = 'Begin another turn.';
    end if;
    if found then
      raise exception 'this turn id was used before' using
        errcode = 'invalid_parameter_value',
        detail = format('Thread %s has a turn %s that has ended.', v_key, p_turn_id),
        hint = 'Make a new turn id with new_state_key().';
    end if;
  end if;
  -- Delete the journals of earlier turns that their workers have not deleted, but not yet those
  -- that somebody may still be reading to their end.
  if v_left then
    delete from pgthreads.journal as j
    where j.owner_user_id = p_owner_user_id
      and j.state_key = v_key
      and j.created_at < clock_timestamp() - interval '10 seconds';
  end if;
  if v_appended = 0 then
    perform pgthreads.touch_thread(p_owner_user_id, v_key);
  end if;
  insert into pgthreads.turn as n
    (owner_user_id, state_key, turn_id, lease_until, user_seq, begun_count)
  values (p_owner_user_id, v_key, p_turn_id, clock_timestamp() + v_lease, v_seq, v_count)
  returning n.lease_until into v_lease_until;
  -- The history may be large, so it is made where it is returned, and copied no more than that.
  if v_from is not null then
    return query
      select 'started', v_key, p_turn_id, v_count, v_lease_until, v_max_bytes, json_agg(h.message),
        null::json
      from (
        select m.message
        from pgthreads.message as m
        where m.owner_user_id = p_owner_user_id
          and m.state_key = v_key
          and m.seq between v_from and v_seq
        order by m.seq
      ) as h;
    return;
  end if;
  return query
    select 'started', v_key, p_turn_id, v_count, v_lease_until, v_max_bytes,
      pgthreads.prompt_history(
        p_owner_user_id, v_key, v_seq, p_last, v_max_prompt_bytes),
      null::json;
end;
$$;

comment on function pgthreads.begin_turn is
  'Appends the user message, takes the lease of a turn and returns the history for the prompt.';
revoke all on function pgthreads.begin_turn from public;
grant execute on function pgthreads.begin_turn to pgthreads_server;
