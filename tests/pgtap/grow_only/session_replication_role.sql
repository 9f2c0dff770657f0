-- session_replication_role = replica switches triggers and foreign keys off. Only a superuser can
-- set it, and verify_thread then names each message that was changed.
begin;
select plan(7);
\ir attacks.psql

select test.attack(role, 'its setting', $$ set local session_replication_role = replica $$)
from (values ('tap_server'), ('pgthreads_owner'), ('tap_operator')) as v (role);

select test.attack(
  current_user, 'the chain', 'set local session_replication_role = replica; ' || change, detail)
from (values
  ($$ update pgthreads.message set message = '{"id": "m2"}' where message_id = 'm2' $$,
    'Message 2 does not fit%'),
  ($$ update pgthreads.message set message_id = 'x' where message_id = 'm2' $$,
    'Message 2 is stored under another id%'),
  ($$ delete from pgthreads.message where seq = 3 $$,
    'The thread''s header counts 3 messages, but 2 are stored.'),
  ($$ truncate pgthreads.message $$,
    'The thread''s header counts 3 messages, but 0 are stored.')
) as v (change, detail);

select * from finish();
rollback;
