-- Deletes a thread for every reader: SOFT_DELETE_DEFAULT. Its rows stay until they are purged. A
-- running turn ends as stopped, because nothing can be appended any more. An open answer is closed
-- before that, so that it is kept, held and purged like any message. Deleting a thread twice is no
-- error. Locks: the thread's row, then that of its running turn.

create or replace function pgthreads.soft_delete_thread(p_owner_user_id text, p_state_key text)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
begin
  perform pgthreads.require_thread(p_owner_user_id, p_state_key);
  perform pgthreads.close_answer(p_owner_user_id, p_state_key, 'stopped');
  update pgthreads.thread as t
  set deleted_at = clock_timestamp(), touched_xid = pg_current_xact_id()
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key;
  update pgthreads.turn as n
  set status = 'stopped', error_code = 'thread_deleted', finished_at = clock_timestamp()
  where n.owner_user_id = p_owner_user_id
    and n.state_key = p_state_key
    and n.status = 'running';
  delete from pgthreads.journal as j
  where j.owner_user_id = p_owner_user_id and j.state_key = p_state_key;
  return true;
exception
  when sqlstate 'THDEL' then
    return false;
end;
$$;

comment on function pgthreads.soft_delete_thread(text, text) is
  'Deletes the thread for every reader; false if it was deleted already.';
revoke all on function pgthreads.soft_delete_thread(text, text) from public;
grant execute on function pgthreads.soft_delete_thread(text, text) to pgthreads_server;
