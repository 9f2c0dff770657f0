-- Removes one thread for good, with its turns, messages and header. The caller has locked its row.
-- No other function deletes messages. bytes are those of the stored messages, after compression.

create or replace function pgthreads.remove_thread(p_owner_user_id text, p_state_key text)
returns table (messages int, turns int, bytes bigint)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
begin
  delete from pgthreads.queued_turn as q
  where q.owner_user_id = p_owner_user_id and q.state_key = p_state_key;
  delete from pgthreads.late_answer as l
  where l.owner_user_id = p_owner_user_id and l.state_key = p_state_key;
  delete from pgthreads.open_answer as o
  where o.owner_user_id = p_owner_user_id and o.state_key = p_state_key;
  delete from pgthreads.tool_response as r
  where r.owner_user_id = p_owner_user_id and r.state_key = p_state_key;
  delete from pgthreads.share as s
  where s.owner_user_id = p_owner_user_id and s.state_key = p_state_key;
  delete from pgthreads.journal as j
  where j.owner_user_id = p_owner_user_id and j.state_key = p_state_key;
  delete from pgthreads.turn as n
  where n.owner_user_id = p_owner_user_id and n.state_key = p_state_key;
  get diagnostics turns = row_count;
  with removed as (
    delete from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id and m.state_key = p_state_key
    returning pg_column_size(m.message) as size
  )
  select count(*)::int, coalesce(sum(r.size), 0) into strict messages, bytes from removed as r;
  delete from pgthreads.thread as t
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key;
  return next;
end;
$$;

comment on function pgthreads.remove_thread(text, text) is
  'Deletes a thread''s rows and counts them; purge_threads and erase_owner call it.';
revoke all on function pgthreads.remove_thread(text, text) from public;
grant execute on function pgthreads.remove_thread(text, text) to pgthreads_maintenance;
