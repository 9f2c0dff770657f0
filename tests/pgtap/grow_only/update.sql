-- UPDATE of a stored message. The owner role and superusers have the privilege, so the trigger
-- stops them. Behind it, there is no policy for UPDATE (disable_trigger.sql).
begin;
select plan(8);
\ir attacks.psql

select test.attack(role, stop, $$ update pgthreads.message set message = '{}' $$)
from (values
  ('tap_server', 'a privilege'),
  ('pgthreads_owner', 'the trigger'),
  ('tap_operator', 'a privilege'),
  (current_user, 'the trigger')
) as v (role, stop);

select test.attack(role, stop, $$ update pgthreads.message set seq = seq + 10 where false $$)
from (values
  ('tap_server', 'a privilege'), ('pgthreads_owner', 'the trigger'), (current_user, 'the trigger')
) as v (role, stop);

-- Functions write the header, so their owner can as well. It is not a message, and the change
-- shows.
select test.attack(
  'pgthreads_owner', 'the chain',
  $$ update pgthreads.thread set message_count = 2 where owner_user_id = 'alice' $$,
  'The thread''s header counts 2 messages, but 3 are stored.'
);

select * from finish();
rollback;
