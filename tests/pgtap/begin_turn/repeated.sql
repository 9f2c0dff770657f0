-- A message that is sent again never starts a second generation of the same answer.
begin;
select plan(16);
\ir ../helpers.psql

set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select pgthreads.begin_turn('alice', 'k', test.message('u1'), 't1') \g /dev/null
select results_eq(
  $$ select outcome, turn_id, message_count, history is null, answer is null
    from pgthreads.begin_turn('alice', 'k', test.message('u1'), 't2') $$,
  $$ values ('running', 't1', 1, true, true) $$, 'its turn runs'
);
select results_eq(
  $$ select outcome, turn_id, history::jsonb, answer is null
    from pgthreads.begin_turn('alice', 'k', test.message('u1'), 't1') $$,
  $$ values ('started', 't1', jsonb_build_array(test.message('u1')), true) $$,
  'the same call again has the same answer'
);
select test.refuses(
  $$ select pgthreads.begin_turn('alice', 'k', test.message('u2'), 't2') $$,
  'THTRN', 'Turn t1 of thread k runs until %', '%request_stop%', 'another message has to wait'
);
select test.refuses(
  $$ select pgthreads.begin_turn('alice', 'k', test.message('u1', 'other'), 't2') $$,
  'THDUP', null, '%new id%', 'the same id with other content'
);

-- A lease that ran out.
reset role;
update pgthreads.turn set lease_until = clock_timestamp();
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select results_eq(
  $$ select outcome, turn_id from pgthreads.begin_turn('alice', 'k', test.message('u1'), 't2') $$,
  $$ values ('started', 't2') $$, 'a dead turn is taken over'
);
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k',
    jsonb_build_array(test.message('a1', 'late', 'assistant')), null, 't1') $$,
  'THLST', 'Turn t1 of thread k does not run.', null, 'the dead one cannot append'
);
select pgthreads.append_thread('alice', 'k',
  jsonb_build_array(test.message('a1', 'answer', 'assistant')), 1, 't2') \g /dev/null
select results_eq(
  $$ select outcome, turn_id from pgthreads.begin_turn('alice', 'k', test.message('u1'), 't3') $$,
  $$ values ('running', 't2') $$, 'with its answer stored it runs on until it is finished'
);
select pgthreads.finish_turn('alice', 'k', 't2', 'completed') \g /dev/null
select results_eq(
  $$ select outcome, turn_id, answer::jsonb, history is null
    from pgthreads.begin_turn('alice', 'k', test.message('u1'), 't3') $$,
  $$ values ('answered', null::text, test.message('a1', 'answer', 'assistant'), true) $$,
  'then its answer comes back'
);

-- A turn that ended without an answer.
select pgthreads.begin_turn('alice', 'k', test.message('u2'), 't3') \g /dev/null
select pgthreads.finish_turn('alice', 'k', 't3', 'failed') \g /dev/null
select test.refuses(
  $$ select pgthreads.begin_turn('alice', 'k', test.message('u2'), 't3') $$,
  'THLST', 'Turn t3 of thread k ended before %', 'Begin another%', 'not under the same turn id'
);
select test.refuses(
  $$ select pgthreads.begin_turn('alice', 'k', test.message('u9'), 't3') $$,
  '22023', 'Thread k has a turn t3 that has ended.', '%new_state_key%', 'nor for another message'
);
select results_eq(
  $$ select outcome, turn_id, message_count
    from pgthreads.begin_turn('alice', 'k', test.message('u2'), 't4') $$,
  $$ values ('started', 't4', 3) $$, 'it can be tried again'
);
select pgthreads.finish_turn('alice', 'k', 't4', 'stopped') \g /dev/null
select pgthreads.begin_turn('alice', 'k', test.message('u3'), 't5') \g /dev/null
select test.refuses(
  $$ select pgthreads.begin_turn('alice', 'k', test.message('u2'), 't6') $$,
  'THDUP', 'Message ''u2'' of thread k is number 3 of 4.', '%new id%',
  'but not with later messages behind it'
);
select results_eq(
  $$ select outcome, turn_id from pgthreads.begin_turn('alice', 'k', test.message('u1'), 't6') $$,
  $$ values ('answered', null::text) $$,
    'an old message has its answer also while another turn runs'
);

-- A turn that runs for another message is not given up for a message that is stored already.
select pgthreads.append_thread('alice', 'k', jsonb_build_array(test.message('x')), null,
  't5') \g /dev/null
select test.refuses(
  $$ select pgthreads.begin_turn('alice', 'k', test.message('x'), 't6') $$,
  'THTRN', 'Turn t5 of thread k runs until %', null, 'a running turn is never abandoned'
);
reset role;
select results_eq(
  $$ select turn_id collate "default", status from pgthreads.turn order by 1 $$,
  $$ values ('t1', 'abandoned'), ('t2', 'completed'), ('t3', 'failed'), ('t4', 'stopped'),
    ('t5', 'running') $$, 'what became of the turns'
);
update pgthreads.turn set lease_until = clock_timestamp() where status = 'running';
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select results_eq(
  $$ select outcome from pgthreads.begin_turn('alice', 'k', test.message('u4'), 't7') $$,
  array['started'], 'a new message takes a dead turn''s thread over'
);

select * from finish();
rollback;
