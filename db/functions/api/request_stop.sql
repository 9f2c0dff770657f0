-- Asks the thread's running turn to stop, whichever worker runs it: the worker's next heartbeat
-- learns of it. Returns the turn's id, or null if no turn runs. Locks: the turn's row.

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
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  perform pgthreads.require_state_key(p_state_key);
  update pgthreads.turn as n
  set stop_requested_at = coalesce(n.stop_requested_at, clock_timestamp())
  where n.owner_user_id = p_owner_user_id
    and n.state_key = p_state_key
    and n.status = 'running'
    and n.lease_until > clock_timestamp()
  returning n.turn_id into v_turn_id;
  return v_turn_id;
end;
$$;

comment on function pgthreads.request_stop(text, text) is
  'Asks the running turn of the thread to stop; returns its id, or null if no turn runs.';
revoke all on function pgthreads.request_stop(text, text) from public;
grant execute on function pgthreads.request_stop(text, text) to pgthreads_server;
