-- A lease that ran out is taken back if nobody took the thread over; otherwise the turn is lost.
begin;
select plan(9);
\ir ../helpers.psql

create function test.end_lease(p_turn_id text) returns void language sql security definer
set search_path = pg_catalog
as $$
  update pgthreads.turn as n
  set lease_until = clock_timestamp() - interval '1 second'
  where n.turn_id = p_turn_id;
$$;
grant execute on function test.end_lease to public;

set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select pgthreads.begin_turn('alice', 'k', test.message('u1'), 't1') \g /dev/null
reset role;
select test.end_lease('t1') \g /dev/null
set local role tap_server;
select results_eq(
  $$ select status, assistant_message_id from pgthreads.complete_turn('alice', 'k', 't1',
  'completed',
    test.message('a1', 'answer', 'assistant')) $$,
  $$ values ('completed', 'a1') $$, 'a lease that ran out unclaimed is taken back'
);
select pgthreads.begin_turn('alice', 'k', test.message('u2'), 't2') \g /dev/null
select pgthreads.append_thread('alice', 'k',
  jsonb_build_array(test.message('a2', 'step', 'assistant')), null, 't2') \g /dev/null
reset role;
select test.end_lease('t2') \g /dev/null
set local role tap_server;
select results_eq(
  $$ select status, assistant_message_id from pgthreads.complete_turn('alice', 'k', 't2',
  'completed',
    test.message('a3', 'answer', 'assistant')) $$,
  $$ values ('completed', 'a3') $$, 'also by a turn that has appended before'
);

-- Somebody has taken the thread over meanwhile.
select pgthreads.begin_turn('alice', 'k', test.message('u3'), 't3') \g /dev/null
select pgthreads.write_journal('alice', 'k', 't3', 0, test.frames('a4', 'begun')) \g /dev/null
reset role;
select test.end_lease('t3') \g /dev/null
set local role tap_server;
select pgthreads.begin_turn('alice', 'k', test.message('u4'), 't4') \g /dev/null
select test.refuses(
  $$ select pgthreads.complete_turn('alice', 'k', 't3', 'completed',
    test.message('a5', 'late', 'assistant')) $$,
  'THLST', 'Turn t3 of thread k does not run.', '%extend_turn%',
  'a turn that was taken over is lost'
);
select test.refuses(
  $$ select pgthreads.complete_turn('alice', 'k', 't3', 'completed',
    test.message('a4', 'begun, and ended', 'assistant')) $$,
  'THDUP', null, null, 'also if a part of its answer was saved'
);
select test.refuses(
  $$ select pgthreads.complete_turn('alice', 'k', 't3', 'failed', p_usage => '{"tokens": 1}') $$,
  'THLST', 'Turn t3 of thread k is abandoned.', '%only once%', 'nor can it end without an answer'
);
select results_eq(
  $$ select status from pgthreads.complete_turn('alice', 'k', 't4', 'completed',
    test.message('a6', 'answer', 'assistant')) $$,
  array['completed'], 'the heir is not disturbed'
);

-- An append also takes a thread over.
select pgthreads.begin_turn('alice', 'k', test.message('u5'), 't5') \g /dev/null
reset role;
select test.end_lease('t5') \g /dev/null
set local role tap_server;
select pgthreads.append_thread('alice', 'k', jsonb_build_array(test.message('u6'))) \g /dev/null
select test.refuses(
  $$ select pgthreads.complete_turn('alice', 'k', 't5', 'completed',
    test.message('a7', 'late', 'assistant')) $$,
  'THLST', 'Turn t5 of thread k does not run.', '%extend_turn%', 'behind an append it is lost'
);

-- Without an answer the lease does not matter.
select pgthreads.begin_turn('alice', 'k', test.message('u7'), 't7') \g /dev/null
reset role;
select test.end_lease('t7') \g /dev/null
set local role tap_server;
select results_eq(
  $$ select status from pgthreads.complete_turn('alice', 'k', 't7', 'failed') $$,
  array['failed'], 'a turn past its lease ends'
);
select results_eq(
  $$ select alive from pgthreads.extend_turn('alice', 'k', 't7') $$, array[false], 'for good'
);

select * from finish();
rollback;
