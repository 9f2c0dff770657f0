-- Adds to the journal of a running turn, and tells what a heartbeat tells. p_frames are the frames
-- of the turn's stream from byte p_offset on. What the journal has of them already is left out, so
-- a call may be repeated; behind a gap nothing is written. Either way the journal's end comes back,
-- and the writer goes on from there: after a crash of the database, which empties the journal, from
-- 0.
--
-- Called for each running turn several times a second, so it locks no row of thread or turn: on
-- those a lock is a write to the WAL. So it may lose the race against the end of the turn; what it
-- then leaves behind is found by forget_journal, begin_turn or reap_turns. Of an owner who is being
-- erased nothing is written, since nobody would find that: erase_owner takes the same advisory
-- lock, alone. It is never waited for here, because the journals of others are written in the same
-- statement. Any login can take that lock, so a warning in the server's log says who keeps a
-- journal from being written.

create or replace function pgthreads.write_journal(
  p_owner_user_id text,
  p_state_key text,
  p_turn_id text,
  p_offset int,
  p_frames text
)
returns table (turn_id text, alive boolean, stop_requested boolean, end_offset int)
language plpgsql
volatile
rows 1
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_stop boolean;
begin
  if not pgthreads.is_named_tenant(p_owner_user_id) then
    perform pgthreads.require_tenant(p_owner_user_id);
  end if;
  if not pg_try_advisory_xact_lock_shared(1886807154, hashtext(p_owner_user_id)) then
    raise warning 'the journal of turn % is not written', p_turn_id using
      detail = format('The lock of its owner''s erasure is held by %s.',
        pgthreads.lock_holders(1886807154, hashtext(p_owner_user_id))),
      hint = 'If that is no call of erase_owner, end it with pg_terminate_backend.';
    return query select p_turn_id, true, false, p_offset;
    return;
  end if;
  select n.stop_requested_at is not null into v_stop
  from pgthreads.turn as n
  where n.owner_user_id = p_owner_user_id
    and n.state_key = p_state_key
    and n.turn_id = p_turn_id
    and n.status = 'running';
  if not found then
    return query select p_turn_id, false, false, 0;
    return;
  end if;
  return query select p_turn_id, true, v_stop,
    pgthreads.write_frames(p_owner_user_id, p_state_key, p_turn_id, p_offset, p_frames);
end;
$$;

comment on function pgthreads.write_journal(text, text, text, int, text) is
  'Adds frames to the journal of a running turn; tells its end, and whether the turn should stop.';
revoke all on function pgthreads.write_journal(text, text, text, int, text) from public;
grant execute on function pgthreads.write_journal(text, text, text, int, text) to pgthreads_server;
