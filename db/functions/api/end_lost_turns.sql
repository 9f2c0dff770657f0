-- Ends the owner's running turns whose lease ended p_grace ago or earlier, as abandoned, so that
-- what there is of their answers is in their threads; returns how many. begin_turn and
-- append_thread do that for a thread that goes on, and reap_turns for all owners; this is for
-- servers whose clients look at such a thread. The grace gives a worker that was only late, or cut
-- off with the database, the time to take its lease back.
--
-- Many owners are served in one statement. Once that has taken a second, the remaining turns are
-- left for a later call, and so is one of which somebody holds a lock. Locks: the thread's row,
-- then the turn's, of one turn after the other; it waits for none.

create or replace function pgthreads.end_lost_turns(
  p_owner_user_id text,
  p_grace interval default '0'
)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
  v_until timestamptz;
  v_turn record;
  v_ended int := 0;
begin
  if not pgthreads.is_named_tenant(p_owner_user_id) then
    perform pgthreads.require_tenant(p_owner_user_id);
  end if;
  if p_grace is null or p_grace < '0' then
    raise exception 'not a grace' using
      errcode = 'invalid_parameter_value',
      detail = format('p_grace is %s.', coalesce(p_grace::text, 'null')),
      hint = 'Pass how long ago a lease must have ended; 0 means any lease that has ended.';
  end if;
  v_until := clock_timestamp() - p_grace;
  for v_turn in
    select n.state_key, n.turn_id
    from pgthreads.turn as n
    where n.owner_user_id = p_owner_user_id
      and n.status = 'running'
      and n.lease_until <= v_until
  loop
    exit when clock_timestamp() > statement_timestamp() + interval '1 second';
    perform
    from pgthreads.thread as t
    join pgthreads.turn as n
      on n.owner_user_id = t.owner_user_id and n.state_key = t.state_key
    where t.owner_user_id = p_owner_user_id
      and t.state_key = v_turn.state_key
      and n.turn_id = v_turn.turn_id
      and n.status = 'running'
      and n.lease_until <= v_until
    for update of t, n skip locked;
    continue when not found;
    perform pgthreads.abandon_turn(p_owner_user_id, v_turn.state_key, v_turn.turn_id);
    v_ended := v_ended + 1;
  end loop;
  return v_ended;
end;
$$;

comment on function pgthreads.end_lost_turns(text, interval) is
  'Ends the owner''s turns whose lease has ended, with their partial answers; returns how many.';
revoke all on function pgthreads.end_lost_turns(text, interval) from public;
grant execute on function pgthreads.end_lost_turns(text, interval) to pgthreads_server;
