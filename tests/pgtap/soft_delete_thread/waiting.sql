-- A thread that is deleted keeps an answer that waited as a message.
begin;
select plan(8);
\ir ../waiting.psql

select test.waits('alice', key) from unnest(array['k', 'run']) as key \g /dev/null
set local role tap_server;
select is(pgthreads.soft_delete_thread('alice', 'k'), true, 'deletes');
select is(test.open_answers(), array['run a1 t1'], 'nothing waits in it');
select is(cardinality(test.said('alice', 'k')), 2,
  'its answer is a message, for a hold or a purge');
select test.refuses(
  $$ select pgthreads.respond_turn('alice', 'k', 'a1', test.both_responses(), 't2') $$,
  'THDEL', null, null, 'and takes no response'
);
select pgthreads.respond_turn('alice', 'run', 'a1', test.both_responses(), 't2') \g /dev/null
select is(pgthreads.soft_delete_thread('alice', 'run'), true, 'deletes while a turn continues one');
select is(test.turns('run'), array['t1 waiting a1 ended', 't2 stopped ended'],
  'the turn has ended');
select is(test.open_answers(), array[]::text[], 'nothing is open');
reset role;
select is((select bool_and(v.ok) from pgthreads.verify_threads() as v), true, 'the chains hold');

select * from finish();
rollback;
