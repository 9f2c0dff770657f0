-- Asks the thread's running turn to stop, whichever worker runs it: the worker's next heartbeat
-- learns of it. If no turn runs, an answer that waits is closed. Returns the id of that turn, or of
-- the turn that left the answer; null if there is neither. Locks: the turn's row; or for an answer
-- that waits the thread's row, then a turn's.

create or replace function pgthreads.request_stop(p_owner_user_id text, p_state_key text)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
  v_turn_id text;
  v_dead_id text;
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  perform pgthreads.require_state_key(p_state_key);
  for v_look in 1..2 loop
    update pgthreads.turn as n
    set stop_requested_at = coalesce(n.stop_requested_at, clock_timestamp())
    where n.owner_user_id = p_owner_user_id
      and n.state_key = p_state_key
      and n.status = 'running'
      and n.lease_until > clock_timestamp()
    returning n.turn_id into v_turn_id;
    exit when found;
    -- The second look is under the lock of a thread that has an open answer.
    if v_look = 1 then
      perform
      from pgthreads.thread as t
      where t.owner_user_id = p_owner_user_id
        and t.state_key = p_state_key
        and t.open_since is not null
        and t.deleted_at is null
      for update;
      exit when not found;
    else
      select n.turn_id into v_dead_id
      from pgthreads.turn as n
      where n.owner_user_id = p_owner_user_id
        and n.state_key = p_state_key
        and n.status = 'running';
      perform pgthreads.abandon_turn(p_owner_user_id, p_state_key, v_dead_id);
      select o.turn_id into v_turn_id
      from pgthreads.open_answer as o
      where o.owner_user_id = p_owner_user_id and o.state_key = p_state_key;
      perform pgthreads.close_answer(p_owner_user_id, p_state_key, 'stopped');
    end if;
  end loop;
  return v_turn_id;
end;
$$;

comment on function pgthreads.request_stop(text, text) is
  'Asks the running turn of the thread to stop; returns its id, or null if no turn runs.';
revoke all on function pgthreads.request_stop(text, text) from public;
grant execute on function pgthreads.request_stop(text, text) to pgthreads_server;
