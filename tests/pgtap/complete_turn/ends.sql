-- It stores the answer, the last piece of the journal, the usage and the turn's end, exactly once.
begin;
select plan(21);
\ir ../helpers.psql

create function test.turn(p_turn_id text) returns text language sql security definer
set search_path = pg_catalog
as $$
  select concat_ws(' ', n.status, n.assistant_message_id, n.usage, n.error_code,
    case when n.finished_at is not null then 'ended' end)
  from pgthreads.turn as n
  where n.turn_id = p_turn_id;
$$;

set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select pgthreads.begin_turn('alice', 'k', test.message('u1'), 't1') \g /dev/null
select pgthreads.write_journal('alice', 'k', 't1', 0, 'abc') \g /dev/null
select results_eq(
  $$ select * from pgthreads.complete_turn('alice', 'k', 't1', 'completed',
    test.message('a1', 'answer', 'assistant'), '{"tokens": 5}', 'note', 3, 'def') $$,
  $$ values ('t1', 'completed', 'a1', 2, 1, null::text) $$, 'one call ends the turn'
);
select is(test.said('alice', 'k'), array['user: hello', 'assistant: answer'],
  'its answer is stored');
select is(test.turn('t1'), 'completed a1 {"tokens": 5} note ended',
  'usage and answer stand in the turn');
select is(test.journal(), array['t1 0-3 3', 't1 3-6 3'], 'and the journal is whole');
select is(
  (select ok from pgthreads.verify_thread('alice', 'k')), true, 'the chain of digests holds'
);
select test.everything() as everything \gset
select results_eq(
  $$ select * from pgthreads.complete_turn('alice', 'k', 't1', 'completed',
    test.message('a1', 'answer', 'assistant'), '{"tokens": 9}', 'other', 3, 'def') $$,
  $$ values ('t1', 'completed', 'a1', 2, 0, null::text) $$,
  'the same call again has the same answer'
);
select ok(test.everything() = :'everything', 'and changes nothing');
select test.refuses(
  $$ select pgthreads.complete_turn('alice', 'k', 't1', 'failed',
    test.message('a1', 'answer', 'assistant')) $$,
  'THLST', 'Turn t1 of thread k is completed.', '%only once%', 'another end'
);
select test.refuses(
  $$ select pgthreads.complete_turn('alice', 'k', 't1', 'completed',
    test.message('a2', 'more', 'assistant')) $$,
  'THLST', 'Turn t1 of thread k does not run.', '%extend_turn%', 'another answer'
);

-- Nothing was generated.
select pgthreads.begin_turn('alice', 'k', test.message('u2'), 't2') \g /dev/null
select results_eq(
  $$ select * from pgthreads.complete_turn('alice', 'k', 't2', 'failed',
    p_error_code => repeat('e', 300), p_offset => 0, p_frames => 'x') $$,
  $$ values ('t2', 'failed', null::text, 3, 0, null::text) $$, 'a turn without an answer ends, too'
);
select is(test.turn('t2'), 'failed ' || repeat('e', 200) || ' ended',
  'an error has 200 characters');
select is(
  test.journal(), array['t1 0-3 3', 't1 3-6 3', 't2 0-1 1'], 'and its last piece is in the journal'
);

-- Messages that the turn has appended already.
select pgthreads.begin_turn('alice', 'k', test.message('u3'), 't3') \g /dev/null
select pgthreads.append_thread('alice', 'k',
  jsonb_build_array(test.message('a3', 'step', 'assistant')), null, 't3') \g /dev/null
select results_eq(
  $$ select * from pgthreads.complete_turn('alice', 'k', 't3', 'completed',
    test.message('a4', 'last', 'assistant'), p_offset => 0, p_frames => 'x') $$,
  $$ values ('t3', 'completed', 'a4', 6, 1, null::text) $$,
  'the answer may come behind other messages'
);
select is(
  test.journal(), array['t1 0-3 3', 't1 3-6 3', 't2 0-1 1', 't3 0-1 1'], 'with its last piece'
);
select pgthreads.begin_turn('alice', 'k', test.message('u4'), 't4') \g /dev/null
select pgthreads.append_thread('alice', 'k',
  jsonb_build_array(test.message('a5', 'answer', 'assistant')), null, 't4') \g /dev/null
select results_eq(
  $$ select * from pgthreads.complete_turn('alice', 'k', 't4', 'completed',
    test.message('a5', 'answer', 'assistant')) $$,
  $$ values ('t4', 'completed', 'a5', 8, 0, null::text) $$, 'and may be stored already'
);

-- Another answer to an old question is a branch; a message of a system or a user is not an answer.
select pgthreads.begin_turn('alice', 'k', test.message('u1'), 't5', p_replaces => 'a1',
  p_regenerate => true) \g /dev/null
select results_eq(
  $$ select assistant_message_id, message_count from pgthreads.complete_turn('alice', 'k', 't5',
    'stopped', test.message('a6', 'again', 'assistant')) $$,
  $$ values ('a6', 9) $$, 'a turn answers an earlier question'
);
select is(
  jsonb_path_query_array(pgthreads.load_thread('alice', 'k')::jsonb, '$[*].id'), '["u1", "a6"]',
  'and continues that'
);
select is(
  (select ok from pgthreads.verify_thread('alice', 'k')), true,
  'the chain of digests holds there, too'
);
select pgthreads.begin_turn('alice', 'k', test.message('u5'), 't6') \g /dev/null
select results_eq(
  $$ select assistant_message_id, message_count from pgthreads.complete_turn('alice', 'k', 't6',
    'completed', test.message('s1', 'note', 'system')) $$,
  $$ values (null::text, 11) $$, 'only a message of the assistant is the answer'
);

-- The answer is redacted like everything that is appended.
select pgthreads.begin_turn('alice', 'r', test.message('u1'), 't1') \g /dev/null
select pgthreads.complete_turn('alice', 'r', 't1', 'completed',
  test.message('a1', 'My key is sk-' || repeat('a', 40), 'assistant')) \g /dev/null
select alike(
  (test.said('alice', 'r'))[2], 'assistant: My key is [REDACTED%', 'the answer is redacted'
);
select is(
  (select title from pgthreads.read_thread('alice', 'r')), 'hello',
  'the title stays the question''s'
);

select * from finish();
rollback;
