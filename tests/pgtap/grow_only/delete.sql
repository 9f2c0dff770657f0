-- DELETE of a stored message, and of its thread. Only maintenance can delete, as that role; what is
-- left of a thread then shows it.
begin;
select plan(10);
\ir attacks.psql

select test.attack(role, stop, $$ delete from pgthreads.message where seq = 3 $$)
from (values
  ('tap_server', 'a privilege'),
  ('pgthreads_owner', 'the trigger'),
  ('tap_operator', 'the trigger'),
  (current_user, 'the trigger')
) as v (role, stop);

select test.attack(role, stop, $$ delete from pgthreads.thread where state_key = 'k' $$)
from (values
  ('tap_server', 'a privilege'),
  ('pgthreads_owner', 'the foreign key'),
  ('tap_operator', 'the foreign key'),
  (current_user, 'the foreign key')
) as v (role, stop);

select test.attack(
  role, 'the chain',
  $$
    set local role pgthreads_maintenance;
    delete from pgthreads.message where owner_user_id = 'alice' and seq = 2
  $$,
  'Message 2 is missing.'
)
from (values ('tap_operator'), (current_user)) as v (role);

select * from finish();
rollback;
