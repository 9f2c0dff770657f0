-- Through the view ai_threads, which PostgreSQL would allow to write to its table.
begin;
select plan(9);
\ir attacks.psql

select test.attack(role, stop, $$ update pgthreads.ai_threads set messages = '[]' $$)
from (values
  ('tap_server', 'its kind'), ('pgthreads_owner', 'its kind'), (current_user, 'its kind')
) as v (role, stop);
select test.attack(role, stop, $$ delete from pgthreads.ai_threads $$)
from (values
  ('tap_server', 'a privilege'),
  ('pgthreads_owner', 'the foreign key'),
  (current_user, 'the foreign key')
) as v (role, stop);
select test.attack('tap_server', 'a privilege', statement)
from (values
  ($$ insert into pgthreads.ai_threads (owner_user_id, state_key) values ('alice', 'x') $$),
  ($$ update pgthreads.ai_threads set deleted_at = null, metadata = '{}' $$),
  ($$ select * from pgthreads.ai_threads for update $$)
) as v (statement);

select * from finish();
rollback;
