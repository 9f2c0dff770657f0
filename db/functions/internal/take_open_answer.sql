-- Removes the open answer that a turn continues, because the message that it has become is being
-- appended. For append_thread and complete_turn, which hold the thread's row. p_first_id is the
-- first message of theirs that is not stored yet: it is the answer, under the id that it had.
-- Nothing happens if the turn has appended it before.

create or replace function pgthreads.take_open_answer(
  p_owner_user_id text,
  p_state_key text,
  p_message_id text,
  p_first_id text
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
begin
  delete from pgthreads.open_answer as o
  where o.owner_user_id = p_owner_user_id
    and o.state_key = p_state_key
    and o.message_id = p_message_id;
  if found and p_first_id <> p_message_id then
    raise exception 'the turn continues another message' using
      errcode = 'THMSG',
      detail = format('The turn continues %L of thread %s, the message is %L.', p_message_id,
        p_state_key, p_first_id),
      hint = 'Pass the whole answer under the id that it has had since it was open.';
  end if;
end;
$$;

comment on function pgthreads.take_open_answer(text, text, text, text) is
  'Removes the open answer whose message is being appended; raises THMSG for another message.';
revoke all on function pgthreads.take_open_answer(text, text, text, text) from public;
