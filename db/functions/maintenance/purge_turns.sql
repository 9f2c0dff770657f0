-- Removes a batch of the turns that finished long enough ago, and a batch of the late answers, the
-- oldest first. config says how long that is; p_before can only make it longer. What the turns have
-- used is added to usage_total. Nothing of an owner on hold is removed. `more` says that a batch
-- was full.
--
-- Locks: the table retention, in a mode that only a purge of turns and a vacuum of that table take
-- and that keeps no reader or writer waiting, so that one purge runs at a time; another one does
-- nothing, and says so. Only roles that may write that table can take the lock. Then the rows that
-- it removes. It takes no thread's lock and nobody waits for it, because a turn that has ended
-- never changes again. (It does not skip rows that others have locked: for that PostgreSQL would
-- need a policy that lets maintenance update turns that have ended.)

create or replace function pgthreads.purge_turns(
  p_before interval default null,
  p_batch int default 1000
)
returns table (turns int, late_answers int, more boolean)
language plpgsql
volatile
rows 1
set search_path = pg_catalog, pg_temp
set role = 'pgthreads_maintenance'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_now constant timestamptz := clock_timestamp();
  v_turns_kept interval;
  v_late_answers_kept interval;
begin
  perform pgthreads.require_batch(p_batch);
  if p_before < '0' then
    raise exception 'not an age of finished turns' using
      errcode = 'invalid_parameter_value',
      detail = format('p_before is %s.', p_before),
      hint = 'Pass how long ago a turn must have finished, or null for what config says.';
  end if;
  select greatest(c.turns_kept, case when c.turns_kept is not null then p_before end),
    greatest(c.late_answers_kept, case when c.late_answers_kept is not null then p_before end)
  into strict v_turns_kept, v_late_answers_kept
  from pgthreads.config as c;
  turns := 0;
  late_answers := 0;
  more := false;
  begin
    lock table pgthreads.retention in share update exclusive mode nowait;
  exception
    when lock_not_available then
      raise warning 'nothing was removed: another purge of turns is running' using
        detail = 'Another session holds a lock on the table pgthreads.retention.',
        hint = 'Repeat the call when that purge has ended.';
      return next;
      return;
  end;
  if v_turns_kept is not null then
    with due as materialized (
      select n.owner_user_id, n.state_key, n.turn_id
      from pgthreads.turn as n
      where n.finished_at <= v_now - v_turns_kept
        and not exists (
          select
          from pgthreads.retention as r
          where r.owner_user_id = n.owner_user_id and r.purge_after is null
        )
      order by n.finished_at
      limit p_batch
    )
    delete from pgthreads.turn as n
    using due as d
    where n.owner_user_id = d.owner_user_id
      and n.state_key = d.state_key
      and n.turn_id = d.turn_id;
    get diagnostics turns = row_count;
  end if;
  if v_late_answers_kept is not null then
    with due as materialized (
      select l.owner_user_id, l.state_key, l.turn_id
      from pgthreads.late_answer as l
      where l.created_at <= v_now - v_late_answers_kept
        and not exists (
          select
          from pgthreads.retention as r
          where r.owner_user_id = l.owner_user_id and r.purge_after is null
        )
      order by l.created_at
      limit p_batch
    )
    delete from pgthreads.late_answer as l
    using due as d
    where l.owner_user_id = d.owner_user_id
      and l.state_key = d.state_key
      and l.turn_id = d.turn_id;
    get diagnostics late_answers = row_count;
  end if;
  more := p_batch in (turns, late_answers);
  return next;
end;
$$;

comment on function pgthreads.purge_turns(interval, int) is
  'Removes a batch of the finished turns and late answers that are older than config says.';
revoke all on function pgthreads.purge_turns(interval, int) from public;
grant execute on function pgthreads.purge_turns(interval, int) to pgthreads_maintenance;
