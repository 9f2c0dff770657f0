-- A thread's messages as one json value, oldest first; the window is that of read_messages().
-- json_agg copies the stored bytes, it does not parse them.

create or replace function pgthreads.load_thread(
  p_owner_user_id text,
  p_state_key text,
  p_last int default null,
  p_before_seq int default null
)
returns json
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
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
  return (
    select coalesce(json_agg(s.message), '[]')
    from (
      select m.message
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.seq >= v_first
        and m.seq < v_before
      order by m.seq
    ) as s
  );
end;
$$;

comment on function pgthreads.load_thread(text, text, int, int) is
  'The thread''s UIMessage[] as one json value, [] if there is none; a window of it on request.';
revoke all on function pgthreads.load_thread(text, text, int, int) from public;
grant execute on function pgthreads.load_thread(text, text, int, int) to pgthreads_server;
