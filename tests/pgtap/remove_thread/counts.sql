-- It removes one thread and counts what it had; only maintenance can call it.
begin;
select plan(5);
\ir ../operators.psql

select test.thread('alice', k)
from unnest(array['a', 'b']) as k \g /dev/null
select pgthreads.begin_turn('alice', 'a', test.message('u'), 't') \g /dev/null

select test.refuses(
  $$ select * from pgthreads.remove_thread('alice', 'b') $$, '42501',
  'DELETE on pgthreads.message by %', null, 'a superuser is not maintenance'
);
set local role pgthreads_maintenance;
select results_eq(
  $$ select messages, turns, bytes > 100 from pgthreads.remove_thread('alice', 'a') $$,
  'values (3, 1, true)', 'what it had'
);
select results_eq(
  $$ select * from pgthreads.remove_thread('alice', 'a') $$, 'values (0, 0, 0::bigint)',
  'a thread that is not there'
);
select is(test.left(), array['alice/b'], 'the other one is there');
select is((select ok from pgthreads.verify_thread('alice', 'b')), true, 'as it was');

select * from finish();
rollback;
