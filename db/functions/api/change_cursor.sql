-- A cursor for changed_threads(): all changes that this statement sees are before it. A caller
-- takes it in the statement that reads the changes since the previous cursor, or in an earlier one,
-- and passes that previous cursor here. Then the window of time in which changed_threads() looks
-- stays small. A cursor is about the cluster and not about an owner, so one serves for all owners.
--
-- A cursor has five numbers (see read_cursor()):
--   horizon  The lowest transaction id that was still in progress. What a transaction below it has
--            written was seen. What any other one writes is not before this cursor, however late it
--            commits: nothing gets lost.
--   time     Transactions from the horizon on did not write before this time.
--   next     The next transaction id that was to be given out at some moment, and
--   at       that moment. As soon as the horizon has passed `next`, `at` is a time for it.
--   history  What the ids are about.
-- On a standby the times are those of the replayed transactions, by the clock of the primary.

create or replace function pgthreads.change_cursor(p_cursor text default null)
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_before constant bigint[] := pgthreads.read_cursor(p_cursor);
  -- The time is read before the id: what is not given out yet will be given out later than that.
  v_at constant bigint := coalesce(
    extract(epoch from case
      when pg_is_in_recovery() then pg_last_xact_replay_timestamp()
      else now()
    end) * 1000000,
    0)::bigint;
  v_snapshot constant pg_snapshot := pg_current_snapshot();
  v_horizon constant bigint := pg_snapshot_xmin(v_snapshot)::text::bigint;
  -- age() counts from the next id that will be given out.
  v_next constant bigint :=
    pg_snapshot_xmax(v_snapshot)::text::bigint + age(pg_snapshot_xmax(v_snapshot)::xid);
  v_numbers bigint[];
begin
  v_numbers := case
    when v_next <= v_horizon then array[v_horizon, v_at, v_next, v_at]
    when v_before is null then array[v_horizon, bigint '0', v_next, v_at]
    when v_before[3] <= v_horizon then array[v_horizon, v_before[4], v_next, v_at]
    -- Somebody has been writing since then.
    else array[v_horizon, v_before[2], v_before[3], v_before[4]]
  end;
  return array_to_string(v_numbers || pgthreads.cluster_history(), '.');
end;
$$;

comment on function pgthreads.change_cursor(text) is
  'A cursor for changed_threads(): all changes that this statement sees are before it.';
revoke all on function pgthreads.change_cursor(text) from public;
grant execute on function pgthreads.change_cursor(text) to pgthreads_server;
