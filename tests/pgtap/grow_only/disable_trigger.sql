-- The owner and a superuser can switch the trigger off. Then policies still stop the owner, because
-- there is none for UPDATE or DELETE. What goes further (TRUNCATE, a policy of one's own) shows.
begin;
select plan(12);
\ir attacks.psql

select test.attack(role, 'ownership', statement)
from (values ('tap_server'), ('tap_operator')) as r (role)
cross join (values
  ('alter table pgthreads.message disable trigger message_grow_only'),
  ('drop trigger message_grow_only on pgthreads.message')
) as v (statement);

select test.attack('pgthreads_owner', 'a policy', format(
  'alter table pgthreads.message disable trigger message_grow_only; %s', change))
from (values
  ($$ update pgthreads.message set message = '{}' $$),
  ($$ delete from pgthreads.message $$)
) as v (change);

select test.attack('pgthreads_owner', 'the chain', format(
  'alter table pgthreads.message disable trigger message_grow_only; %s', change), detail)
from (values
  ('truncate pgthreads.message', 'The thread''s header counts 3 messages, but 0 are stored.'),
  ($$ alter table pgthreads.message no force row level security;
      delete from pgthreads.message where seq = 1 $$, 'Message 1 is missing.'),
  ($$ create policy p on pgthreads.message for update to pgthreads_owner using (true);
      update pgthreads.message set message = '{}' where seq = 3 $$, 'Message 3 does not fit%')
) as v (change, detail);

select test.attack(current_user, 'the chain', format(
  'alter table pgthreads.message disable trigger message_grow_only; %s', change), detail)
from (values
  ($$ update pgthreads.message set message = '{}' where seq = 1 $$, 'Message 1 does not fit%'),
  ($$ update pgthreads.message
      set message = '{"id": "m1"}', digest = sha256('{"id": "m1"}') where seq = 1 $$,
    'Message 2 does not fit%'),
  ($$ update pgthreads.message
      set message = '{"id": "m3"}',
        digest = sha256(
          (select m.digest from pgthreads.message as m where m.seq = 2) || '{"id": "m3"}')
      where seq = 3 $$,
    'The digest in the thread''s header is not that of its last message.')
) as v (change, detail);

select * from finish();
rollback;
