-- What append_thread and update_thread do to an answer that waits.
begin;
select plan(15);
\ir ../waiting.psql

select test.waits() \g /dev/null
set local role tap_server;
select results_eq(
  $$ select message_count, appended from pgthreads.append_thread('alice', 'k', '[]',
    p_metadata => '{"a": 1}') $$,
  $$ values (1, 0) $$, 'metadata alone'
);
select results_eq(
  $$ select message_count, appended from pgthreads.append_thread('alice', 'k',
    jsonb_build_array(test.message('u1'))) $$,
  $$ values (1, 0) $$, 'what is stored'
);
select results_eq(
  $$ select title from pgthreads.update_thread('alice', 'k', 'Mail') $$, array['Mail'],
    'another title'
);
select is(test.open_answers(), array['k a1 t1'], 'all of that leaves it alone');
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', jsonb_build_array(test.message('u2')), 2) $$,
  'THCNT', 'Thread k has 1 messages, but the caller expected 2.', null, 'it does not count'
);
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', jsonb_build_array(test.message('a1', 'x',
    'assistant'))) $$,
  'THDUP', null, null, 'its id is taken'
);
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', jsonb_build_array(test.message('a9', 'x',
    'assistant')), null, 't1') $$,
  'THLST', null, null, 'its turn appends no more'
);
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', jsonb_build_array(test.message('u2')),
    p_parent_id => 'none') $$,
  'THNON', null, null, 'a parent that is unknown'
);
select results_eq(
  $$ select message_count, appended from pgthreads.append_thread('alice', 'k',
    jsonb_build_array(test.message('u1'), test.message('u2')), 1) $$,
  $$ values (3, 1) $$, 'a message comes behind it'
);
select is(test.shown('alice', 'k'),
  array['1: u1', '2: a1 stopped c1 output-denied not answered, c2 output-error not answered',
    '3: u2'],
  'and closes it');
select is(test.open_answers(), array[]::text[], 'it does not wait any more');
select is(test.turns('k'), array['t1 waiting a1 ended'], 'the turn that left it stays as it is');

-- Behind the answer by its name, and behind another message.
select test.waits('alice', 'p') \g /dev/null
select pgthreads.append_thread('alice', 'p', jsonb_build_array(test.message('u2')),
  p_parent_id => 'a1') \g /dev/null
select is((test.shown('alice', 'p'))[3], '3: u2', 'it may be named as the parent');
select test.waits('alice', 'b') \g /dev/null
select pgthreads.append_thread('alice', 'b', jsonb_build_array(test.message('u2')),
  p_parent_id => 'u1') \g /dev/null
select is(test.shown('alice', 'b'), array['1: u1', '3: u2'], 'a branch leaves it behind');
select is((select bool_and(v.ok) from pgthreads.verify_thread('alice', 'b') as v), true,
  'the chain holds');

select * from finish();
rollback;
