-- A thread's messages as rows, oldest first; none for a thread that does not exist or is deleted.
-- p_last and p_before_seq cut out a window: the last so many before that seq. Since seq has no gaps
-- the window is a range of the primary key.

create or replace function pgthreads.read_messages(
  p_owner_user_id text,
  p_state_key text,
  p_last int default null,
  p_before_seq int default null
)
returns table (seq int, message json)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_before int;
  v_first int;
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  perform pgthreads.require_state_key(p_state_key);
  perform pgthreads.require_window(p_last, p_before_seq);
  select least(p_before_seq, t.message_count + 1) into v_before
  from pgthreads.thread as t
  where t.owner_user_id = p_owner_user_id
    and t.state_key = p_state_key
    and t.deleted_at is null;
  -- A variable, because an expression that can fail is no index condition under row level security.
  v_first := coalesce(v_before - p_last, 1);
  return query
    select m.seq, m.message
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = p_state_key
      and m.seq >= v_first
      and m.seq < v_before
    order by m.seq;
end;
$$;

comment on function pgthreads.read_messages(text, text, int, int) is
  'The thread''s messages as rows (seq, message), oldest first; a window of them on request.';
revoke all on function pgthreads.read_messages(text, text, int, int) from public;
grant execute on function pgthreads.read_messages(text, text, int, int) to pgthreads_server;
