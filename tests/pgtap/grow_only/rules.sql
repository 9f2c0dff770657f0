-- A rule on the table. Only its owner can create one, and if it swallows messages or deletes
-- others, it shows or fails.
begin;
select plan(7);
\ir attacks.psql

select test.attack('tap_server', 'ownership', statement)
from (values
  ('create rule r as on insert to pgthreads.message do also delete from pgthreads.message'),
  ('create rule r as on insert to pgthreads.message do instead nothing')
) as v (statement);

select test.attack(role, 'the trigger', $$
  create rule r as on insert to pgthreads.message do also delete from pgthreads.message;
  select pgthreads.append_thread('alice', 'k', test.messages(4, 4))
$$)
from (values ('pgthreads_owner'), (current_user)) as v (role);
select test.attack(role, 'the chain', $$
  create rule r as on insert to pgthreads.message do instead nothing;
  select pgthreads.append_thread('alice', 'k', test.messages(4, 4))
$$, 'The thread''s header counts 4 messages, but 3 are stored.')
from (values ('pgthreads_owner'), (current_user)) as v (role);
select test.attack(
  'tap_operator', 'ownership',
  'create rule r as on insert to pgthreads.message do instead nothing'
);

select * from finish();
rollback;
