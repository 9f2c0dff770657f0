-- Makes changed_threads() report a thread of which only a turn has changed, or its open answer. A
-- function that updates the thread's row anyway sets touched_xid itself, and an append needs
-- neither. Nothing happens if this transaction has changed the thread's row already. The caller
-- holds that row.

create or replace function pgthreads.touch_thread(p_owner_user_id text, p_state_key text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  update pgthreads.thread as t
  set touched_xid = pg_current_xact_id()
  where t.owner_user_id = p_owner_user_id
    and t.state_key = p_state_key
    and t.xmin <> pg_current_xact_id()::xid;
end;
$$;

comment on function pgthreads.touch_thread(text, text) is
  'Makes changed_threads() report a thread of which only a turn or the open answer has changed.';
revoke all on function pgthreads.touch_thread(text, text) from public;
