-- What is no answer that waits changes nothing.
begin;
select plan(14);
\ir ../waiting.psql

set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'k', jsonb_build_array(test.message('a0', 'old',
  'assistant'))) \g /dev/null
select pgthreads.begin_turn('alice', 'k', test.message('u1'), 't1') \g /dev/null
select test.refuses(
  format('select pgthreads.pause_turn(''alice'', ''k'', ''t1'', %L)', message), state, detail, null,
  what)
from (values
  (test.message('a1', 'x', 'assistant'), 'THMSG', 'No call in it waits.', 'no call'),
  (test.answer('a1', test.call('c', 'output-available', 'x', '{"output": 1}')), 'THMSG',
    'No call in it waits.', 'calls that have ended'),
  (test.answer('a1', test.call('c', 'input-available', 'x', '{"providerExecuted": true}')), 'THMSG',
    'No call in it waits.', 'a call of the provider'),
  (test.answer('a1', test.call('c'), test.call('d', 'input-streaming')), 'THMSG',
    'parts[3] is input-streaming%', 'a call that has not all of its input'),
  (test.answer('a1', test.call('c'),
    test.call('d', 'approval-responded', 'x', '{"approval": {"id": "p", "approved": true}}')),
    'THMSG', 'parts[3] is approval-responded%', 'a call that should run'),
  (test.answer('a1', test.call('c'), test.call('c', 'output-available', 'x', '{"output": 1}')),
    'THMSG', 'parts[2] waits, and its id is that of another%', 'an id twice'),
  (test.answer('a1', test.call(repeat('c', 257))), 'THMSG', 'parts[2] waits, and its id has more%',
    'a long id'),
  (test.answer('a1', test.call('c')) || '{"role": "user"}', 'THMSG', 'Its role is not assistant.',
    'a message of a user'),
  (test.answer('a0', test.call('c')), 'THDUP', null, 'an id that is stored'),
  (test.answer('a1', test.call('c', 'approval-requested', 'x', '{"approval": null}')), 'THMSG',
    null, 'what is no UIMessage')
) as v (message, state, detail, what);
select test.refuses(
  $$ select pgthreads.pause_turn('alice', 'k', 't9', test.answer('a1', test.call('c'))) $$,
  'THLST', 'Turn t9 of thread k is unknown.', null, 'an unknown turn'
);
select test.refuses(
  $$ select pgthreads.pause_turn('alice', 'none', 't1', test.answer('a1', test.call('c'))) $$,
  'THNON', null, null, 'an unknown thread'
);
select test.refuses(
  $$ select pgthreads.pause_turn('alice', '?', 't1', test.answer('a1', test.call('c'))) $$,
  'THKEY', null, null, 'no key'
);
select pgthreads.soft_delete_thread('alice', 'k') \g /dev/null
select test.refuses(
  $$ select pgthreads.pause_turn('alice', 'k', 't1', test.answer('a1', test.call('c'))) $$,
  'THDEL', null, null, 'a deleted thread'
);

select * from finish();
rollback;
