-- The running turns of all owners, for operators. lease_left is negative for a turn whose worker is
-- gone.

create or replace view pgthreads.open_turns
with (security_invoker = true)
as
select
  n.owner_user_id,
  n.state_key,
  n.turn_id,
  n.started_at,
  clock_timestamp() - n.started_at as age,
  n.lease_until,
  n.lease_until - clock_timestamp() as lease_left,
  n.stop_requested_at
from pgthreads.turn as n
where n.status = 'running';

comment on view pgthreads.open_turns is
  'The running turns, with their age and what is left of their lease; for maintenance.';
revoke all on pgthreads.open_turns from public, pgthreads_server;
grant select on pgthreads.open_turns to pgthreads_maintenance;
