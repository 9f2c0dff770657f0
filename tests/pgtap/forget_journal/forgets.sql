-- It deletes the journal of a turn that has ended. Other functions do the same for a worker that is
-- gone.
begin;
select plan(11);
\ir ../helpers.psql

select test.journaled('alice', k, k, 'x', false)
from unnest(array['begun', 'deleted', 'done', 'running']) as k \g /dev/null
set local role tap_server;
select test.refuses(
  $$ select pgthreads.forget_journal('bob', 'done', 'done') $$, 'THTEN', null, null,
  'another tenant''s'
);
select pgthreads.finish_turn('alice', k, k, 'completed')
from unnest(array['done', 'begun']) as k \g /dev/null
select is(cardinality(test.journal()), 4, 'there is something to forget');
select is(pgthreads.forget_journal('alice', 'running', 'running'), 0, 'a turn that runs keeps it');
select is(pgthreads.forget_journal('alice', 'done', 'done'), 1, 'one that ended not');
select is(pgthreads.forget_journal('alice', 'done', 'done'), 0, 'once');
select is(pgthreads.forget_journal('alice', 'done', 'unknown'), 0, 'no such turn');
select is(pgthreads.forget_journal('alice', 'unknown', 'done'), 0, 'no such thread');

-- soft_delete_thread ends the turn of its thread.
select pgthreads.soft_delete_thread('alice', 'deleted') \g /dev/null
select is(left(array_to_string(test.journal(), ','), 5) || cardinality(test.journal()), 'begun2',
  'a deleted thread has none');

-- begin_turn finds the journals of earlier turns, and keeps them for a while for those who still
-- read them.
select pgthreads.begin_turn('alice', 'begun', test.message('u2'), 'second') \g /dev/null
select is(cardinality(test.journal()), 2, 'a turn that has just ended may still be read');
select pgthreads.finish_turn('alice', 'begun', 'second', 'completed') \g /dev/null
reset role;
update pgthreads.journal set created_at = created_at - interval '11 seconds';
set local role tap_server;
select pgthreads.begin_turn('alice', 'begun', test.message('u3'), 'third') \g /dev/null
select is(cardinality(test.journal()), 1, 'but not for long');
select is(left(array_to_string(test.journal(), ','), 7), 'running', 'other threads'' are left');

select * from finish();
rollback;
