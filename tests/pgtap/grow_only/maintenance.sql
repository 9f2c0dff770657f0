-- The maintenance role can only remove: it can write no message and no header, and to a turn only
-- that it is given up.
begin;
select plan(8);
\ir attacks.psql
select pgthreads.begin_turn('alice', 't', test.message('u'), 't1') \g /dev/null

select test.attack('pgthreads_maintenance', stop, statement)
from (values
  ('a privilege', $$ insert into pgthreads.message select * from pgthreads.message $$),
  ('a privilege', $$ update pgthreads.message set message = '{}' $$),
  ('a privilege', $$ insert into pgthreads.thread (owner_user_id, state_key) values ('a', 'b') $$),
  ('a privilege', $$ update pgthreads.thread set message_count = 0 $$),
  ('a policy', $$ update pgthreads.thread set updated_at = now() $$),
  ('a privilege', $$ update pgthreads.turn set usage = '{}' $$),
  ('a policy', $$ update pgthreads.turn set status = 'completed', finished_at = now() $$),
  ('nothing', $$ update pgthreads.turn set status = 'abandoned', finished_at = now() $$)
) as v (stop, statement);

select * from finish();
rollback;
