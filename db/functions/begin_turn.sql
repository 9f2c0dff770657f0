-- Starts a turn: appends the user message, takes the lease and returns the history for the prompt, in
-- one call that commits before the model is asked. Keeps ONE_TURN_PER_THREAD, EXACTLY_ONCE and
-- CLIENT_SENDS_USER_ONLY. Locks: the thread's row, then a turn's row.
--
-- A message id that is stored already starts nothing twice:
--   running   its turn runs (under the returned turn id)
--   answered  its answer is stored (returned in answer)
--   started   nothing answered it and nothing came after it: a new turn begins. Also the repetition
--             of this very call, with the same turn id.

create or replace function pgthreads.begin_turn(
  p_owner_user_id text,
  p_state_key text,
  p_message jsonb,
  p_turn_id text,
  p_last int default null,
  p_metadata jsonb default null
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
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_config pgthreads.config;
  v_message jsonb;
  v_appended record;
  v_seq int;
  v_answer json;
  v_turn pgthreads.turn;
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  if p_turn_id is null or char_length(p_turn_id) not between 1 and 128 then
    raise exception 'not a turn id' using
      errcode = 'invalid_parameter_value',
      detail = 'A turn id has 1 to 128 characters.',
      hint = 'Make one with new_state_key().';
  end if;
  perform pgthreads.require_window(p_last, null);
  v_message := pgthreads.require_user_message(p_message);

  select a.* into strict v_appended
  from pgthreads.append_thread(
    p_owner_user_id, p_state_key, jsonb_build_array(v_message), null, null, p_metadata) as a;
  v_seq := v_appended.message_count;
  select c.* into strict v_config from pgthreads.config as c;
  if v_appended.appended = 1 and v_seq >= v_config.max_messages then
    raise exception 'the thread has no room for an answer' using
      errcode = 'THMAX',
      detail = format('Thread %s would have %s messages with this one, the limit is %s.',
        v_appended.state_key, v_seq, v_config.max_messages),
      hint = 'Start a new thread.';
  end if;

  if v_appended.appended = 0 then
    select m.seq into strict v_seq
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = v_appended.state_key
      and m.message_id = v_message ->> 'id';
    select n.* into v_turn
    from pgthreads.turn as n
    where n.owner_user_id = p_owner_user_id
      and n.state_key = v_appended.state_key
      and n.status = 'running'
    for update;
    if v_turn.user_seq = v_seq and v_turn.lease_until > clock_timestamp() then
      return query select
        case when v_turn.turn_id = p_turn_id then 'started' else 'running' end,
        v_appended.state_key, v_turn.turn_id, v_appended.message_count, v_turn.lease_until,
        v_config.max_message_bytes,
        case when v_turn.turn_id = p_turn_id then pgthreads.load_thread(
          p_owner_user_id, v_appended.state_key, p_last, v_appended.message_count + 1) end,
        null::json;
      return;
    end if;
    select m.message into v_answer
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = v_appended.state_key
      and m.seq = v_seq + 1
      and m.message ->> 'role' = 'assistant';
    if found then
      return query select
        'answered', v_appended.state_key, null::text, v_appended.message_count, null::timestamptz,
        null::int, null::json, v_answer;
      return;
    end if;
    if v_seq < v_appended.message_count then
      raise exception 'this message was not answered, and others came after it' using
        errcode = 'THDUP',
        detail = format('Message %L of thread %s is number %s of %s.', v_message ->> 'id',
          v_appended.state_key, v_seq, v_appended.message_count),
        hint = 'Send it again with a new id.';
    end if;
    if v_turn.lease_until > clock_timestamp() then
      raise exception 'a turn is running' using
        errcode = 'THTRN',
        detail = format('Turn %s of thread %s runs until %s at least.', v_turn.turn_id,
          v_appended.state_key, v_turn.lease_until),
        hint = 'Wait for its end, or ask it to stop with request_stop.';
    end if;
    if v_turn.turn_id is not null then
      update pgthreads.turn as n
      set status = 'abandoned', finished_at = clock_timestamp()
      where n.owner_user_id = p_owner_user_id
        and n.state_key = v_appended.state_key
        and n.turn_id = v_turn.turn_id;
    end if;
  end if;

  insert into pgthreads.turn as n (owner_user_id, state_key, turn_id, lease_until, user_seq)
  values (
    p_owner_user_id, v_appended.state_key, p_turn_id, clock_timestamp() + v_config.lease, v_seq
  )
  on conflict on constraint turn_pkey do nothing
  returning n.* into v_turn;
  if not found then
    raise exception 'this turn id was used before' using
      errcode = 'invalid_parameter_value',
      detail = format('Thread %s has a turn %s that has ended.', v_appended.state_key, p_turn_id),
      hint = 'Make a new one with new_state_key().';
  end if;
  return query select
    'started', v_appended.state_key, v_turn.turn_id, v_appended.message_count,
    v_turn.lease_until, v_config.max_message_bytes,
    pgthreads.load_thread(
      p_owner_user_id, v_appended.state_key, p_last, v_appended.message_count + 1),
    null::json;
end;
$$;

comment on function pgthreads.begin_turn(text, text, jsonb, text, int, jsonb) is
  'Appends the user message, takes the lease of a turn and returns the history for the prompt.';
revoke all on function pgthreads.begin_turn(text, text, jsonb, text, int, jsonb) from public;
grant execute on function pgthreads.begin_turn(text, text, jsonb, text, int, jsonb)
  to pgthreads_server;
