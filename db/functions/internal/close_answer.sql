-- Closes the open answer of a thread: appends it as it stands, with all calls ended, and returns
-- how many messages that added. Nothing happens if the thread has none. For functions that hold the
-- thread's row and know that no turn whose lease counts continues the answer.
--
-- NEVER_STUCK: an answer that cannot be appended, because a limit was lowered since, is kept as a
-- late answer, and the thread goes on. The number of messages is not looked at, because there was
-- room when its turn began. What passes by itself is raised. Locks: none but the caller's.

create or replace function pgthreads.close_answer(
  p_owner_user_id text,
  p_state_key text,
  p_status text
)
returns int
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
  v_open pgthreads.open_answer;
  v_message jsonb;
  v_ready record;
begin
  delete from pgthreads.open_answer as o
  where o.owner_user_id = p_owner_user_id and o.state_key = p_state_key
  returning o.* into v_open;
  if not found then
    return 0;
  end if;
  begin
    v_message := pgthreads.closed_answer(v_open.message::jsonb, p_status);
    v_ready := pgthreads.ready_messages(jsonb_build_array(v_message));
    perform pgthreads.write_messages(
      p_owner_user_id, p_state_key, v_ready.ids, v_ready.bodies, t.message_count, t.head_digest,
      nullif(v_open.user_seq, t.message_count), t.title, null, clock_timestamp())
    from pgthreads.thread as t
    where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key;
    return 1;
  exception
    when transaction_rollback or lock_not_available or disk_full or read_only_sql_transaction
      or query_canceled
    then
      raise;
    when others then
      raise warning 'the open answer of turn % is not appended: % %',
        v_open.turn_id, sqlstate, sqlerrm;
      perform pgthreads.keep_answer(
        p_owner_user_id, p_state_key, v_open.turn_id, v_message, 'open_refused', sqlstate);
  end;
  update pgthreads.thread as t
  set open_since = null, touched_xid = pg_current_xact_id()
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key;
  return 0;
end;
$$;

comment on function pgthreads.close_answer(text, text, text) is
  'Appends the open answer of a thread with all calls ended; returns the number of messages.';
revoke all on function pgthreads.close_answer(text, text, text) from public;
