-- INSERT, and INSERT … ON CONFLICT DO UPDATE. A place that is taken is never written again. A row
-- that somebody adds at the thread's end without the functions shows.
begin;
select plan(10);
\ir attacks.psql

select test.attack(role, stop, $$
  insert into pgthreads.message (owner_user_id, state_key, seq, message_id, message, digest)
  values ('alice', 'k', 3, 'm3', '{}', 'x')
  on conflict on constraint message_pkey do update set message = excluded.message
$$)
from (values
  ('tap_server', 'a privilege'),
  ('pgthreads_owner', 'the trigger'),
  ('tap_operator', 'a privilege'),
  (current_user, 'the trigger')
) as v (role, stop);

select test.attack(role, stop, $$
  insert into pgthreads.message (owner_user_id, state_key, seq, message_id, message, digest)
  values ('alice', 'k', 3, 'm3', '{}', 'x')
$$)
from (values
  ('tap_server', 'a privilege'),
  ('pgthreads_owner', 'the primary key'),
  (current_user, 'the primary key')
) as v (role, stop);

select test.attack(role, 'the chain', $$
  insert into pgthreads.message (owner_user_id, state_key, seq, message_id, message, digest)
  values ('alice', 'k', 4, 'm4', '{"id": "m4"}', 'x')
$$, 'Message 4 does not fit%')
from (values ('pgthreads_owner'), (current_user)) as v (role);

select test.attack('pgthreads_owner', 'a policy', $$
  insert into pgthreads.message (owner_user_id, state_key, seq, message_id, message, digest)
  values ('bob', 'k', 2, 'm2', '{}', 'x')
$$);

select * from finish();
rollback;
