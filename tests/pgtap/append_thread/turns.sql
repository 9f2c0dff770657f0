-- ONE_TURN_PER_THREAD: while a turn runs, only it can append, and only while it has its lease.
begin;
select plan(14);
\ir ../helpers.psql

set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select pgthreads.begin_turn('alice', 'k', test.message('u1'), 't1') \g /dev/null
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', jsonb_build_array(test.message('a1'))) $$,
  'THTRN', 'Turn t1 of thread k runs until %', '%request_stop%', 'nobody else appends'
);
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', '[]', p_metadata => '{"a": 1}') $$,
  'THTRN', null, null, 'not even metadata'
);
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', jsonb_build_array(test.message('a1')), null,
    't2') $$,
  'THLST', 'Turn t2 of thread k does not run.', null, 'nor another turn'
);
select results_eq(
  $$ select * from pgthreads.append_thread('alice', 'k', jsonb_build_array(test.message('u1'))) $$,
  $$ values ('k', 1, 0) $$, 'a repetition is no append'
);
select results_eq(
  $$ select * from pgthreads.append_thread('alice', 'k',
    jsonb_build_array(test.message('a1', 'answer', 'assistant')), 1, 't1') $$,
  $$ values ('k', 2, 1) $$, 'the turn appends'
);
select results_eq(
  $$ select status from pgthreads.finish_turn('alice', 'k', 't1', 'completed') $$,
  array['completed'], 'and ends'
);
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', test.messages(1, 1), null, 't1') $$,
  'THLST', 'Turn t1 of thread k does not run.', null, 'after its end it appends no more'
);
select results_eq(
  $$ select * from pgthreads.append_thread('alice', 'k',
    jsonb_build_array(test.message('a1', 'answer', 'assistant')), 1, 't1') $$,
  $$ values ('k', 2, 0) $$, 'but its call may be repeated'
);

-- A lease that has run out.
select pgthreads.begin_turn('alice', 'k', test.message('u2'), 't2') \g /dev/null
reset role;
update pgthreads.turn set lease_until = clock_timestamp() where turn_id = 't2';
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', test.messages(9, 9), null, 't2') $$,
  'THLST', 'Turn t2 of thread k does not run since %', '%extend_turn%',
    'without its lease it does not append'
);
select results_eq(
  $$ select alive from pgthreads.extend_turn('alice', 'k', 't2') $$, array[true],
  'it gets the lease back as long as nobody else came'
);
select results_eq(
  $$ select * from pgthreads.append_thread('alice', 'k', test.messages(9, 9), null, 't2') $$,
  $$ values ('k', 4, 1) $$, 'and appends'
);
reset role;
update pgthreads.turn set lease_until = clock_timestamp() where turn_id = 't2';
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select results_eq(
  $$ select * from pgthreads.append_thread('alice', 'k', test.messages(10, 10)) $$,
  $$ values ('k', 5, 1) $$, 'anybody appends once the lease is over'
);
select results_eq(
  $$ select alive from pgthreads.extend_turn('alice', 'k', 't2') $$, array[false],
  'and then the turn is lost'
);
reset role;
select results_eq(
  $$ select turn_id collate "default", status, finished_at is null from pgthreads.turn
    order by turn_id $$,
  $$ values ('t1', 'completed', false), ('t2', 'abandoned', false) $$, 'as abandoned'
);

select * from finish();
rollback;
