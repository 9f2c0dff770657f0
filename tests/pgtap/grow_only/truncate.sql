-- TRUNCATE, to which row level security does not apply; also through the table that messages refer
-- to.
begin;
select plan(7);
\ir attacks.psql

select test.attack(role, stop, statement)
from (values
  ('tap_server', 'a privilege', 'truncate pgthreads.message'),
  ('pgthreads_owner', 'the trigger', 'truncate pgthreads.message'),
  ('pgthreads_owner', 'the trigger', 'truncate pgthreads.thread cascade'),
  ('tap_operator', 'a privilege', 'truncate pgthreads.message'),
  ('pgthreads_maintenance', 'a privilege', 'truncate pgthreads.thread cascade'),
  (current_user, 'the trigger', 'truncate pgthreads.message'),
  (current_user, 'the trigger', 'truncate pgthreads.thread cascade')
) as v (role, stop, statement);

select * from finish();
rollback;
