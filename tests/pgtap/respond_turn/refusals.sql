-- What does not wait, or is no response, is refused, and nothing changes.
begin;
select plan(34);
\ir ../waiting.psql

select test.waits() \g /dev/null
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'other', jsonb_build_array(
  test.message('u9'), test.message('a9', 'x', 'assistant'))) \g /dev/null
select test.refuses(
  format('select pgthreads.respond_turn(''alice'', ''k'', ''a1'', %L)', responses),
  state, detail, null, what)
from (values
  (null, 'THMSG', 'p_responses is null.', 'nothing'),
  ('{}', 'THMSG', 'p_responses is object.', 'no array'),
  ('[1]', 'THMSG', 'p_responses[0] is no object.', 'a number'),
  ('[{"approved": true}]', 'THMSG', 'p_responses[0] has no toolCallId.', 'no id'),
  ('[{"toolCallId": 1, "approved": true}]', 'THMSG', '%has no toolCallId.',
    'an id that is no text'),
  ('[{"toolCallId": "c1"}]', 'THMSG', '%has not exactly one%', 'no response'),
  ('[{"toolCallId": "c1", "approved": true, "output": 1}]', 'THMSG', '%has not exactly one%',
    'two responses'),
  ('[{"toolCallId": "c1", "approved": "yes"}]', 'THMSG', '%no boolean.', 'approved is no boolean'),
  ('[{"toolCallId": "c1", "approved": null}]', 'THMSG', '%no boolean.', 'approved is null'),
  ('[{"toolCallId": "c1", "approved": true, "reason": 1}]', 'THMSG', '%reason that is no string.',
    'a reason that is no text'),
  ('[{"toolCallId": "c2", "errorText": {}}]', 'THMSG', '%errorText that is no string.',
    'an error that is no text'),
  ('[{"toolCallId": "c1", "approved": true}, {"toolCallId": "c1", "approved": false}]', 'THRSP',
    '%more than one response to call ''c1''.', 'two responses to one call'),
  ('[{"toolCallId": "c9", "approved": true}]', 'THWAI',
    'Call ''c9'' of message ''a1'' does not wait.',
    'an invented call'),
  ('[{"toolCallId": "c1", "output": 1}]', 'THWAI', 'Call ''c1'' waits for an approval.',
    'the output of a tool that needs an approval'),
  ('[{"toolCallId": "c2", "approved": true}]', 'THWAI',
    'Call ''c2'' waits for the output of a tool.',
    'an approval of a tool of the client'),
  ('[{"toolCallId": "c1", "approved": true}, {"toolCallId": "c0", "output": 1}]', 'THWAI', '%c0%',
    'one of two'),
  (format('[{"toolCallId": "c2", "output": "%s"}]', repeat('x', 1100000)), 'THMAX', null,
    'more than a message may hold'),
  (format('[{"toolCallId": "c2", "output": "%s"}]', repeat('x', 1048400)), 'THMAX', null,
    'more than the answer may hold'),
  (format('[{"toolCallId": "c2", "output": %s}]', repeat('[', 70) || repeat(']', 70)), 'THMAX',
    null,
    'a deep one'),
  ('[{"toolCallId": "c2", "output": 1e400}]', 'THMSG', null, 'a number that no double holds')
) as v (responses, state, detail, what);
select test.refuses(
  format('select pgthreads.respond_turn(''alice'', %L, %L, %L)', key, message, '[]'),
  state, detail, null, what)
from (values
  ('k', 'a2', 'THWAI', 'Thread k has no answer ''a2''.', 'another answer'),
  ('k', 'u1', 'THWAI', 'Thread k has no answer ''u1''.', 'a question'),
  ('k', null, 'THWAI', null, 'no answer'),
  ('other', 'a1', 'THWAI', null, 'the answer of another thread'),
  ('none', 'a1', 'THNON', null, 'an unknown thread'),
  ('?', 'a1', 'THKEY', null, 'no key')
) as v (key, message, state, detail, what);
select test.refuses(
  $$ select pgthreads.respond_turn('alice', 'other', 'a9', '[{"toolCallId": "c", "output": 1}]') $$,
  'THWAI', 'Message ''a9'' of thread other does not wait.', null, 'a finished answer'
);
select test.refuses(
  $$ select pgthreads.respond_turn('alice', 'k', 'a1', test.both_responses(), '') $$,
  '22023', null, null, 'no turn id'
);
select test.refuses(
  $$ select pgthreads.respond_turn('alice', 'k', 'a1', test.both_responses(), 't1') $$,
  '22023', 'Thread k has a turn t1 that has ended.', null, 'a turn id that was used'
);
reset role;
update pgthreads.config set max_turns_per_owner = 0;
set local role tap_server;
select test.refuses(
  $$ select pgthreads.respond_turn('alice', 'k', 'a1', test.both_responses(), 't2') $$,
  'THBSY', null, null, 'too many turns run'
);
reset role;
update pgthreads.config set max_turns_per_owner = null;
set local role tap_server;

-- Once.
select pgthreads.respond_turn('alice', 'k', 'a1', '[{"toolCallId": "c1", "approved": true}]')
  \g /dev/null
select test.refuses(
  $$ select pgthreads.respond_turn('alice', 'k', 'a1',
    '[{"toolCallId": "c2", "output": 1}, {"toolCallId": "c1", "approved": false}]', 't2') $$,
  'THRSP', 'Call ''c1'' of message ''a1'' was responded to at%', null, 'another response'
);
select test.refuses(
  $$ select pgthreads.respond_turn('alice', 'k', 'a1',
    '[{"toolCallId": "c1", "approved": true, "reason": "now"}]', 't2') $$,
  'THRSP', null, null, 'another reason'
);
select pgthreads.set_tenant('bob') \gset
select test.refuses(
  $$ select pgthreads.respond_turn('bob', 'k', 'a1', test.both_responses(), 't2') $$,
  'THNON', null, null, 'the thread of somebody else'
);
select test.refuses(
  $$ select pgthreads.respond_turn('alice', 'k', 'a1', test.both_responses(), 't2') $$,
  'THTEN', null, null, 'as somebody else'
);

select * from finish();
rollback;
