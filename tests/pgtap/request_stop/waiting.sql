-- A stop closes an answer that waits, and asks a turn that continues one.
begin;
select plan(12);
\ir ../waiting.psql

select test.waits() \g /dev/null
set local role tap_server;
select is(pgthreads.request_stop('alice', 'k'), 't1', 'tells the turn that left the answer');
select is(test.shown('alice', 'k'),
  array['1: u1', '2: a1 stopped c1 output-denied not answered, c2 output-error not answered'],
  'it is closed');
select is(test.open_answers(), array[]::text[], 'and waits no more');
select is(pgthreads.request_stop('alice', 'k'), null, 'then there is nothing to stop');
select is((select ok from pgthreads.verify_thread('alice', 'k')), true, 'the chain holds');
select is(
  (select r.outcome from pgthreads.respond_turn('alice', 'k', 'a1', '[]') as r),
  'answered', 'who would go on gets what there is'
);

select test.waits('alice', 'run') \g /dev/null
select pgthreads.respond_turn('alice', 'run', 'a1', test.both_responses(), 't2') \g /dev/null
select is(pgthreads.request_stop('alice', 'run'), 't2', 'a turn that continues one is asked');
select is(test.open_answers(), array['run a1 t1 t2'], 'and the answer is open as long');
select test.end_lease('t2') \g /dev/null
select is(pgthreads.request_stop('alice', 'run'), null, 'one that is dead is given up');
select is((test.shown('alice', 'run'))[2] like '2: a1 abandoned c1 output-error%', true,
  'with its answer');

-- What is approved and has not run, and a thread that is deleted.
select test.waits('alice', 'ready') \g /dev/null
select pgthreads.respond_turn('alice', 'ready', 'a1', test.both_responses()) \g /dev/null
select pgthreads.request_stop('alice', 'ready') \g /dev/null
select is((test.shown('alice', 'ready'))[2],
  '2: a1 stopped c1 output-error not run, c2 output-available', 'what was approved has not run');
select pgthreads.soft_delete_thread('alice', 'ready') \g /dev/null
select is(pgthreads.request_stop('alice', 'ready'), null, 'a deleted thread');

select * from finish();
rollback;
