-- Refuses an owner who has as many turns running as config allows. begin_turn calls this last, so
-- that a message that is sent again finds its turn or its answer, however many turns run.
--
-- It takes no lock: two calls at the same moment do not see each other's turns, and both may begin
-- one. So the limit is exceeded by at most the number of calls that run at once. A turn whose lease
-- has ended does not count, because nobody works on it.

create or replace function pgthreads.require_turn_quota(p_owner_user_id text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
  v_max int;
  v_running bigint;
begin
  select c.max_turns_per_owner, (
      select count(*)
      from (
        select
        from pgthreads.turn as n
        where n.owner_user_id = p_owner_user_id
          and n.status = 'running'
          and n.lease_until > clock_timestamp()
        limit c.max_turns_per_owner
      ) as r
    )
  into strict v_max, v_running
  from pgthreads.config as c;
  if v_running >= v_max then
    raise exception 'too many turns are running' using
      errcode = 'THBSY',
      detail = format('This owner has %s running turns; the limit is %s.', v_running, v_max),
      hint = 'Wait until one of them has ended. The limit is config.max_turns_per_owner.';
  end if;
end;
$$;

comment on function pgthreads.require_turn_quota(text) is
  'Raises THBSY if the owner has as many turns running as config.max_turns_per_owner.';
revoke all on function pgthreads.require_turn_quota(text) from public;
