-- A turn's heartbeat: extends the lease and tells whether somebody asked the turn to stop. A lease
-- that has ended is extended as well, unless somebody has given the turn up. Locks: the turn's row.
--
-- With p_wait false, a row that somebody else has locked is left as it is, and the result is what
-- was last committed. This is for a statement that extends many turns, so that none of them can
-- hold up the others.

create or replace function pgthreads.extend_turn(
  p_owner_user_id text,
  p_state_key text,
  p_turn_id text,
  p_wait boolean default true
)
returns table (alive boolean, stop_requested boolean, lease_until timestamptz)
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
begin
  if not pgthreads.is_named_tenant(p_owner_user_id) then
    perform pgthreads.require_tenant(p_owner_user_id);
  end if;
  if not p_wait then
    perform
    from pgthreads.turn as n
    where n.owner_user_id = p_owner_user_id
      and n.state_key = p_state_key
      and n.turn_id = p_turn_id
      and n.status = 'running'
    for no key update skip locked;
    if not found then
      return query
        select n.status = 'running', n.status = 'running' and n.stop_requested_at is not null,
          case when n.status = 'running' then n.lease_until end
        from pgthreads.turn as n
        where n.owner_user_id = p_owner_user_id
          and n.state_key = p_state_key
          and n.turn_id = p_turn_id;
      if not found then
        return query select false, false, null::timestamptz;
      end if;
      return;
    end if;
  end if;
  return query
    update pgthreads.turn as n
    set lease_until = clock_timestamp() + c.lease
    from pgthreads.config as c
    where n.owner_user_id = p_owner_user_id
      and n.state_key = p_state_key
      and n.turn_id = p_turn_id
      and n.status = 'running'
    returning true, n.stop_requested_at is not null, n.lease_until;
  if not found then
    return query select false, false, null::timestamptz;
  end if;
end;
$$;

comment on function pgthreads.extend_turn(text, text, text, boolean) is
  'Extends the turn''s lease; tells whether it is still the caller''s and should stop.';
revoke all on function pgthreads.extend_turn(text, text, text, boolean) from public;
grant execute on function pgthreads.extend_turn(text, text, text, boolean) to pgthreads_server;
