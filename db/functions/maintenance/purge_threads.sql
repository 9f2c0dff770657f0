-- Removes a batch of the threads that were deleted long enough ago, the earliest first, for good:
-- the other half of SOFT_DELETE_DEFAULT. The owner's row in retention says how long that is, or
-- otherwise config does; p_deleted_before can only make it longer. `more` says that the batch was
-- full.
--
-- Locks: the row of each thread of the batch, until the transaction ends. A thread that somebody
-- else has locked is left for a later call. So that locks are not held for long, a batch also ends
-- after 10,000 messages; a thread is removed as a whole or not at all.

create or replace function pgthreads.purge_threads(
  p_deleted_before interval default null,
  p_batch int default 100
)
returns table (threads int, messages int, turns int, bytes bigint, more boolean)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set role = 'pgthreads_maintenance'
set plan_cache_mode = force_generic_plan
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_thread record;
  v_removed record;
begin
  perform pgthreads.require_batch(p_batch);
  if p_deleted_before < '0' then
    raise exception 'not an age of deleted threads' using
      errcode = 'invalid_parameter_value',
      detail = format('p_deleted_before is %s.', p_deleted_before),
      hint = 'Pass how long ago a thread must have been deleted, or null for what retention says.';
  end if;
  threads := 0;
  messages := 0;
  turns := 0;
  bytes := 0;
  more := false;
  for v_thread in
    select t.owner_user_id, t.state_key
    from pgthreads.thread as t
    cross join pgthreads.config as c
    left join pgthreads.retention as r on r.owner_user_id = t.owner_user_id
    where t.deleted_at <= v_now - coalesce(p_deleted_before, '0')
      -- For an owner on hold this is null, so nothing is removed.
      and t.deleted_at <= v_now
        - case when r.owner_user_id is null then c.purge_after else r.purge_after end
    order by t.deleted_at
    limit p_batch
    for update of t skip locked
  loop
    select r.* into strict v_removed
    from pgthreads.remove_thread(v_thread.owner_user_id, v_thread.state_key) as r;
    threads := threads + 1;
    messages := messages + v_removed.messages;
    turns := turns + v_removed.turns;
    bytes := bytes + v_removed.bytes;
    more := threads = p_batch or messages >= 10000;
    exit when more;
  end loop;
  return next;
end;
$$;

comment on function pgthreads.purge_threads(interval, int) is
  'Removes a batch of the threads that were deleted longer ago than retention or config says.';
revoke all on function pgthreads.purge_threads(interval, int) from public;
grant execute on function pgthreads.purge_threads(interval, int) to pgthreads_maintenance;
