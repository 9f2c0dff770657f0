-- MERGE, in the three ways in which it can write.
begin;
select plan(9);
\ir attacks.psql

select test.attack(role, stop, $$
  merge into pgthreads.message as m using (values ('m3')) as v (id) on m.message_id = v.id
  when matched then $$ || action)
from (values ('tap_server', 'a privilege'), ('pgthreads_owner', 'the trigger'),
  (current_user, 'the trigger')) as r (role, stop)
cross join (values ($$ update set message = '{}' $$), ('delete')) as a (action);

select test.attack(role, stop, $$
  merge into pgthreads.message as m using (values (3)) as v (seq) on false
  when not matched then
    insert (owner_user_id, state_key, seq, message_id, message, digest)
    values ('alice', 'k', v.seq, 'm', '{}', 'x')
$$)
from (values ('tap_server', 'a privilege'), ('pgthreads_owner', 'the primary key'),
  (current_user, 'the primary key')) as r (role, stop);

select * from finish();
rollback;
