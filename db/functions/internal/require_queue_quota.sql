-- Refuses an owner who has as many messages waiting, in all threads together, as config allows.
-- wait_for_turn calls this when a message takes a ticket. Tickets that nobody renews do not count.
-- Those of other threads are removed here, because nobody may ever ask for those threads again.
-- Locks: such tickets, unless somebody else holds them. As in require_turn_quota, calls at the same
-- moment do not see each other.

create or replace function pgthreads.require_queue_quota(p_owner_user_id text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_max int;
  v_waiting bigint;
begin
  select c.max_queued_per_owner into strict v_max from pgthreads.config as c;
  delete from pgthreads.queued_turn as q
  where q.owner_user_id = p_owner_user_id
    and (q.state_key, q.message_id) in (
      select o.state_key, o.message_id
      from pgthreads.queued_turn as o
      where o.owner_user_id = p_owner_user_id and o.expires_at < v_now - interval '1 minute'
      for update skip locked
    );
  select count(*) into strict v_waiting
  from pgthreads.queued_turn as q
  where q.owner_user_id = p_owner_user_id and q.expires_at > v_now;
  if v_waiting >= v_max then
    raise exception 'too many messages are waiting' using
      errcode = 'THBSY',
      detail = format('%s messages of this owner are waiting; the limit is %s.',
        v_waiting, v_max),
      hint = 'Wait until one of them is answered. The limit is config.max_queued_per_owner.';
  end if;
end;
$$;

comment on function pgthreads.require_queue_quota(text) is
  'Raises THBSY if the owner has as many messages waiting as config.max_queued_per_owner.';
revoke all on function pgthreads.require_queue_quota(text) from public;
