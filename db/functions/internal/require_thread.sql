-- Locks the row of a thread, and refuses a thread that does not exist or is deleted.

create or replace function pgthreads.require_thread(p_owner_user_id text, p_state_key text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_deleted_at timestamptz;
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  perform pgthreads.require_state_key(p_state_key);
  select t.deleted_at into v_deleted_at
  from pgthreads.thread as t
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key
  for update;
  if not found then
    raise exception 'no such thread' using
      errcode = 'THNON',
      detail = format('The tenant has no thread %s.', p_state_key),
      hint = 'Look for its state key with list_threads, which shows the tenant''s threads.';
  end if;
  if v_deleted_at is not null then
    raise exception 'the thread is deleted' using
      errcode = 'THDEL',
      detail = format('Thread %s was deleted at %s.', p_state_key, v_deleted_at),
      hint = 'Start a new thread, under another state key.';
  end if;
end;
$$;

comment on function pgthreads.require_thread(text, text) is
  'Locks the tenant''s thread; raises THNON if there is none, and THDEL if it is deleted.';
revoke all on function pgthreads.require_thread(text, text) from public;
