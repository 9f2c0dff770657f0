-- SET ROLE. A server's login is only a member of pgthreads_server, and the owner role is a member
-- of nothing. A superuser may become maintenance, and then can do what maintenance can.
begin;
select plan(6);
\ir attacks.psql

select test.attack(role, 'membership', format('set local role %I', other))
from (values
  ('tap_server', 'pgthreads_owner'),
  ('tap_server', 'pgthreads_maintenance'),
  ('pgthreads_owner', 'pgthreads_maintenance'),
  ('tap_operator', 'pgthreads_owner')
) as v (role, other);
select test.attack(
  'tap_server', 'a privilege', 'set local role pgthreads_server; delete from pgthreads.message'
);
select test.attack(
  current_user, 'the trigger', 'set local role pgthreads_owner; delete from pgthreads.message'
);

select * from finish();
rollback;
