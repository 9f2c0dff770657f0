-- SET ROLE. A server is a member of pgthreads_server and of nothing else, and the owner role of
-- nothing at all. A superuser may become maintenance, and is then what maintenance is.
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
