-- Ends a batch of running turns whose lease ended p_grace ago or earlier, as abandoned, and returns
-- them. Their workers are gone, and what the journal holds of their answers is appended. begin_turn
-- and append_thread do the same for the one thread for which they are called. A grace gives a
-- worker that was only late the chance to take its lease back.
--
-- Then closes answers that have waited for config.max_wait, and returns the turns that left them,
-- with the time until which they waited. This also deletes a batch of the journals that dead
-- workers have left.
--
-- Locks: the thread's row, then the turn's, one turn after the other. A turn of which somebody else
-- holds a lock is left for a later call, and so is one that fails. The locks are held until the
-- transaction ends, so a batch ends early once it has taken v_patience: repeat the call until it
-- returns no rows.

create or replace function pgthreads.reap_turns(
  p_batch int default 100,
  p_grace interval default '0'
)
returns table (owner_user_id text, state_key text, turn_id text, lease_until timestamptz)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set role = 'pgthreads_maintenance'
set plan_cache_mode = force_generic_plan
-- A plain scan of the index turn_one_running marks its dead entries, so that later scans skip them.
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_patience constant interval := interval '1 second';
  v_began timestamptz := clock_timestamp();
  v_closed int := 0;
begin
  perform pgthreads.require_batch(p_batch);
  if p_grace is null or p_grace < '0' then
    raise exception 'not a grace' using
      errcode = 'invalid_parameter_value',
      detail = format('p_grace is %s.', coalesce(p_grace::text, 'null')),
      hint = 'Pass how long ago a lease must have ended; 0 means any lease that has ended.';
  end if;
  for owner_user_id, state_key, turn_id in
    select n.owner_user_id, n.state_key, n.turn_id
    from pgthreads.turn as n
    where n.status = 'running' and n.lease_until <= clock_timestamp() - p_grace
    order by n.lease_until
  loop
    select n.lease_until into lease_until
    from pgthreads.thread as t
    join pgthreads.turn as n
      on n.owner_user_id = t.owner_user_id and n.state_key = t.state_key
    where t.owner_user_id = reap_turns.owner_user_id
      and t.state_key = reap_turns.state_key
      and n.turn_id = reap_turns.turn_id
      and n.status = 'running'
      and n.lease_until <= clock_timestamp() - p_grace
    for update of t, n skip locked;
    continue when not found;
    begin
      perform pgthreads.reap_turn(owner_user_id, state_key, turn_id);
      v_closed := v_closed + 1;
      return next;
    exception
      when others then
        raise warning 'turn % of thread % is not ended: % %',
          turn_id, state_key, sqlstate, sqlerrm;
    end;
    exit when v_closed = p_batch
      or (v_closed > 0 and clock_timestamp() - v_began > v_patience);
  end loop;
  -- Answers that nobody has responded to.
  for owner_user_id, state_key, turn_id, lease_until in
    select o.owner_user_id, o.state_key, o.turn_id, o.open_since + c.max_wait
    from pgthreads.open_answer as o
    cross join pgthreads.config as c
    where o.open_since <= clock_timestamp() - c.max_wait
    order by o.open_since
  loop
    exit when v_closed >= p_batch
      or (v_closed > 0 and clock_timestamp() - v_began > v_patience);
    perform
    from pgthreads.thread as t
    where t.owner_user_id = reap_turns.owner_user_id and t.state_key = reap_turns.state_key
    for update skip locked;
    continue when not found;
    begin
      if pgthreads.reap_answer(owner_user_id, state_key) > 0 then
        v_closed := v_closed + 1;
        return next;
      end if;
    exception
      when others then
        raise warning 'the open answer of thread % is not closed: % %',
          state_key, sqlstate, sqlerrm;
    end;
  end loop;
  -- Delete the journals of turns that have ended which their workers have not deleted.
  delete from pgthreads.journal as j
  where (j.owner_user_id, j.state_key, j.turn_id) in (
    select f.owner_user_id, f.state_key, f.turn_id
    from pgthreads.journal as f
    where f.created_at < clock_timestamp() - interval '1 minute'
      and not exists (
        select
        from pgthreads.turn as n
        where n.owner_user_id = f.owner_user_id
          and n.state_key = f.state_key
          and n.turn_id = f.turn_id
          and n.status = 'running'
      )
    limit p_batch
  );
end;
$$;

comment on function pgthreads.reap_turns(int, interval) is
  'Ends a batch of running turns whose lease has ended, as abandoned, and returns them.';
revoke all on function pgthreads.reap_turns(int, interval) from public;
grant execute on function pgthreads.reap_turns(int, interval) to pgthreads_maintenance;
