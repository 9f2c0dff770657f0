-- Ends a turn and records what it used; returns the id of its answer. A turn that has ended already
-- with the same status is left as it is, so usage is recorded once. finish_turn and complete_turn
-- call this while they hold the lock of the thread's row. p_count is how many messages the thread
-- has. p_answer_id is the id of its last message, if the caller knows that this is the turn's
-- answer; otherwise the thread is asked. Locks: the turn's row.

create or replace function pgthreads.end_turn(
  p_owner_user_id text,
  p_state_key text,
  p_turn_id text,
  p_status text,
  p_usage jsonb,
  p_error_code text,
  p_count int,
  p_answer_id text default null
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_status text;
  v_answer_id text;
begin
  update pgthreads.turn as n
  set status = p_status,
    usage = p_usage,
    error_code = left(p_error_code, 200),
    finished_at = clock_timestamp(),
    assistant_message_id = case
      when p_answer_id is not null then p_answer_id
      when p_count > coalesce(n.begun_count, n.user_seq) then (
        select m.message_id
        from pgthreads.message as m
        where m.owner_user_id = p_owner_user_id
          and m.state_key = p_state_key
          and m.seq between p_count and p_count
          and m.message ->> 'role' = 'assistant'
        order by m.seq
      )
    end
  where n.owner_user_id = p_owner_user_id
    and n.state_key = p_state_key
    and n.turn_id = p_turn_id
    and n.status = 'running'
  returning n.assistant_message_id into v_answer_id;
  if not found then
    select n.status, n.assistant_message_id into v_status, v_answer_id
    from pgthreads.turn as n
    where n.owner_user_id = p_owner_user_id
      and n.state_key = p_state_key
      and n.turn_id = p_turn_id;
    if v_status is distinct from p_status then
      raise exception 'this turn does not run' using
        errcode = 'THLST',
        detail = format('Turn %s of thread %s is %s.', p_turn_id, p_state_key,
          coalesce(v_status, 'unknown')),
        hint = 'Begin a new turn, because a turn ends only once.';
    end if;
  elsif p_answer_id is null then
    perform pgthreads.touch_thread(p_owner_user_id, p_state_key);
  end if;
  return v_answer_id;
end;
$$;

comment on function pgthreads.end_turn(text, text, text, text, jsonb, text, int, text) is
  'Ends a turn under the lock of its thread; returns the id of its answer.';
revoke all on function pgthreads.end_turn(text, text, text, text, jsonb, text, int, text)
  from public;
