-- Starts a turn: appends the user message, takes the lease and returns the history for the prompt, in
-- one call that commits before the model is asked. Keeps ONE_TURN_PER_THREAD, EXACTLY_ONCE and
-- CLIENT_SENDS_USER_ONLY. Locks: the thread's row, then a turn's row.
--
-- A message id that is stored already starts nothing twice:
--   running   its turn runs (under the returned turn id)
--   answered  its answer is stored (returned in answer), be it that of a turn whose server died
--   started   nothing answered it and nothing came after it: a new turn begins. Also the repetition
--             of this very call, with the same turn id.
--
-- While another turn runs, p_busy says what happens: reject raises THTRN; interrupt asks that turn to
-- stop and waits for its end, enqueue waits alone. Waiting is an outcome, too (waiting): nothing is
-- appended, and the caller calls again with the same message until its turn comes.
--
-- Branches: p_replaces names a stored message that this turn replaces. Of a user message the new one
-- becomes a sibling, under an id made of the old one and the new content; an answer is given anew to
-- the message that it answered, and p_message is not looked at. p_regenerate does the latter for the
-- newest answer, or for the user message that p_replaces names. An id that is not stored replaces
-- nothing: the message goes to the end.

create or replace function pgthreads.begin_turn(
  p_owner_user_id text,
  p_state_key text,
  p_message jsonb,
  p_turn_id text,
  p_last int default null,
  p_metadata jsonb default null,
  p_replaces text default null,
  p_regenerate boolean default false,
  p_busy text default 'reject'
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
  v_config pgthreads.config;
  v_key text := p_state_key;
  v_count int;
  v_message jsonb;
  v_id text;
  v_seq int;
  v_appended int := 0;
  v_sibling_of text;
  v_parent_id text;
  v_anew boolean := false;
  v_answer json;
  v_turn pgthreads.turn;
begin
  if not pgthreads.is_named_tenant(p_owner_user_id) then
    perform pgthreads.require_tenant(p_owner_user_id);
  end if;
  if p_turn_id is null or char_length(p_turn_id) not between 1 and 128 then
    raise exception 'not a turn id' using
      errcode = 'invalid_parameter_value',
      detail = 'A turn id has 1 to 128 characters.',
      hint = 'Make one with new_state_key().';
  end if;
  if p_last < 1 then
    perform pgthreads.require_window(p_last, null);
  end if;
  select c.* into strict v_config from pgthreads.config as c;

  if p_replaces is not null or p_regenerate then
    if p_state_key is not null then
      perform pgthreads.require_state_key(p_state_key);
      -- A thread that somebody else is making is waited for here: it may hold what is replaced.
      insert into pgthreads.thread (owner_user_id, state_key)
      values (p_owner_user_id, p_state_key)
      on conflict (owner_user_id, state_key) do nothing;
    end if;
    -- What a dead server has left of the answer may be what is to be given anew.
    select n.* into v_turn
    from pgthreads.turn as n
    where n.owner_user_id = p_owner_user_id
      and n.state_key = p_state_key
      and n.status = 'running'
      and n.lease_until <= clock_timestamp();
    if found then
      perform pgthreads.abandon_turn(p_owner_user_id, p_state_key, v_turn.turn_id);
    end if;
    select r.message_count, r.user_seq, r.user_id, r.sibling_of, r.parent_id
    into v_count, v_seq, v_id, v_sibling_of, v_parent_id
    from pgthreads.replaced_message(p_owner_user_id, p_state_key, p_replaces, p_regenerate) as r;
    v_anew := v_seq is not null;
  end if;
  if not v_anew then
    v_message := pgthreads.require_user_message(p_message);
    if v_sibling_of is not null then
      v_message := v_message || jsonb_build_object('id', left(v_sibling_of, 200) || '~'
        || left(encode(sha256(convert_to((v_message - 'id')::text, 'UTF8')), 'hex'), 16));
    end if;
    v_id := v_message ->> 'id';
  end if;
  if p_busy is distinct from 'reject' then
    return query
      select 'waiting', p_state_key, w.turn_id, w.message_count, w.lease_until, null::int,
        null::json, null::json
      from pgthreads.wait_for_turn(p_owner_user_id, p_state_key, v_id, v_anew, p_busy) as w;
    if found then
      return;
    end if;
  end if;
  if not v_anew then
    select a.state_key, a.message_count, a.message_count, a.appended
    into strict v_key, v_count, v_seq, v_appended
    from pgthreads.append_thread(
      p_owner_user_id, p_state_key, jsonb_build_array(v_message), null, null, p_metadata,
      v_parent_id) as a;
  end if;

  if v_appended = 0 then
    if not v_anew then
      select m.seq into strict v_seq
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id and m.state_key = v_key and m.message_id = v_id;
    end if;
    select n.* into v_turn
    from pgthreads.turn as n
    where n.owner_user_id = p_owner_user_id and n.state_key = v_key and n.status = 'running'
    for update;
    if v_turn.user_seq = v_seq and v_turn.lease_until > clock_timestamp() then
      return query select
        case when v_turn.turn_id = p_turn_id then 'started' else 'running' end,
        v_key, v_turn.turn_id, v_count, v_turn.lease_until, v_config.max_message_bytes,
        case
          when v_turn.turn_id = p_turn_id
            then pgthreads.prompt_history(
              p_owner_user_id, v_key, v_seq, p_last, v_config.max_prompt_bytes)
        end,
        null::json;
      return;
    end if;
    if v_turn.lease_until <= clock_timestamp() then
      v_count := v_count
        + pgthreads.abandon_turn(p_owner_user_id, v_key, v_turn.turn_id);
      v_turn := null;
    end if;
    if not v_anew then
      select m.message into v_answer
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = v_key
        and m.parent_seq = v_seq
        and m.message ->> 'role' = 'assistant'
      order by m.seq desc
      limit 1;
      if not found then
        select m.message into v_answer
        from pgthreads.message as m
        where m.owner_user_id = p_owner_user_id
          and m.state_key = v_key
          and m.seq between v_seq + 1 and v_seq + 1
          and m.parent_seq is null
          and m.message ->> 'role' = 'assistant'
        order by m.seq;
      end if;
      if found then
        return query select
          'answered', v_key, null::text, v_count, null::timestamptz, null::int, null::json,
          v_answer;
        return;
      end if;
      if v_seq < v_count then
        raise exception 'this message was not answered, and others came after it' using
          errcode = 'THDUP',
          detail = format('Message %L of thread %s is number %s of %s.', v_id, v_key, v_seq,
            v_count),
          hint = 'Send it again with a new id.';
      end if;
    end if;
    if v_turn.lease_until > clock_timestamp() then
      raise exception 'a turn is running' using
        errcode = 'THTRN',
        detail = format('Turn %s of thread %s runs until %s at least.', v_turn.turn_id, v_key,
          v_turn.lease_until),
        hint = 'Wait for its end, or ask it to stop with request_stop.';
    end if;
  end if;

  if v_count >= v_config.max_messages then
    raise exception 'the thread has no room for an answer' using
      errcode = 'THMAX',
      detail = format('Thread %s would have %s messages before the answer, the limit is %s.',
        v_key, v_count, v_config.max_messages),
      hint = 'Start a new thread.';
  end if;
  perform pgthreads.require_turn_quota(p_owner_user_id);
  -- What is left of the journals of earlier turns, if their servers did not come to forget them. Late
  -- enough for who still reads the end of one.
  delete from pgthreads.journal as j
  where j.owner_user_id = p_owner_user_id
    and j.state_key = v_key
    and j.created_at < clock_timestamp() - interval '10 seconds';
  insert into pgthreads.turn as n
    (owner_user_id, state_key, turn_id, lease_until, user_seq, begun_count)
  values (p_owner_user_id, v_key, p_turn_id, clock_timestamp() + v_config.lease, v_seq, v_count)
  on conflict on constraint turn_pkey do nothing
  returning n.* into v_turn;
  if not found then
    perform
    from pgthreads.turn as n
    where n.owner_user_id = p_owner_user_id
      and n.state_key = v_key
      and n.turn_id = p_turn_id
      and n.user_seq = v_seq;
    if found then
      raise exception 'this turn began before, and has ended' using
        errcode = 'THLST',
        detail = format('Turn %s of thread %s ended before this call came again.',
          p_turn_id, v_key),
        hint = 'Begin another one.';
    end if;
    raise exception 'this turn id was used before' using
      errcode = 'invalid_parameter_value',
      detail = format('Thread %s has a turn %s that has ended.', v_key, p_turn_id),
      hint = 'Make a new one with new_state_key().';
  end if;
  return query select
    'started', v_key, v_turn.turn_id, v_count, v_turn.lease_until, v_config.max_message_bytes,
    pgthreads.prompt_history(
      p_owner_user_id, v_key, v_seq, p_last, v_config.max_prompt_bytes),
    null::json;
end;
$$;

comment on function pgthreads.begin_turn is
  'Appends the user message, takes the lease of a turn and returns the history for the prompt.';
revoke all on function pgthreads.begin_turn from public;
grant execute on function pgthreads.begin_turn to pgthreads_server;
