-- Adds frames to the journal of a running turn, and tells what a heartbeat tells. p_frames are the
-- frames of the turn's stream from byte p_offset on. What the journal has of them already is left
-- out, so a call may be repeated. If there is a gap before p_offset, nothing is written. In both
-- cases the journal's end is returned, and the caller goes on from there: from 0 after a crash of
-- PostgreSQL, which empties the journal.
--
-- This is called for each running turn several times a second, so it locks no row of thread or
-- turn, because each such lock writes to the WAL. So it may write after the turn has ended; then
-- forget_journal, begin_turn or reap_turns deletes what it wrote. For an owner who is being erased
-- it writes nothing, because nobody would delete that: erase_owner takes the same advisory lock, in
-- exclusive mode. This function never waits for that lock, because the same statement writes the
-- journals of other owners. Any login can take the lock, so a warning in PostgreSQL's log says who
-- keeps a journal from being written.

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
      hint = 'If that session does not run erase_owner, end it with pg_terminate_backend.';
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
