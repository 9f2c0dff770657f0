-- Calls that wait get their responses, and the last one begins the turn that goes on.
begin;
select plan(25);
\ir ../waiting.psql

select test.waits() \g /dev/null
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select r.digest from pgthreads.read_thread('alice', 'k') as r \gset
select results_eq(
  $$
    select r.outcome, r.turn_id, r.message_count, r.missing, test.states(r.answer::jsonb),
      jsonb_array_length(r.responses), r.history::text
    from pgthreads.respond_turn('alice', 'k', 'a1',
      '[{"toolCallId": "c1", "approved": false, "reason": "no", "input": "forged"}]', 't2') as r
  $$,
  $$ values ('waiting', null::text, 1, '["c2"]'::jsonb,
    'c1 approval-responded no, c2 input-available',
    1, null::text) $$,
  'one of two responses: the other call waits on'
);
select is(
  test.shown('alice', 'k'), array['1: u1', '2: a1 c1 approval-responded no, c2 input-available'],
  'readers see what was given'
);
select isnt(
  (select r.digest from pgthreads.read_thread('alice', 'k') as r), :'digest',
  'with another digest'
);
select is(test.turns('k'), array['t1 waiting a1 ended'], 'no turn runs');
select results_eq(
  $$
    select r.outcome, r.turn_id, r.answer ->> 'id', r.missing::text
    from pgthreads.respond_turn('alice', 'k', 'a1',
      '[{"toolCallId": "c2", "output": {"city": "Turin"}}]') as r
  $$,
  $$ values ('ready', null::text, 'a1', null::text) $$,
  'all responses, but nobody who goes on'
);
select is(test.turns('k'), array['t1 waiting a1 ended'], 'no turn runs then');
select results_eq(
  $$
    select r.outcome, r.state_key, r.turn_id, r.message_count, r.lease_until > now(),
      r.max_message_bytes, jsonb_path_query_array(r.history::jsonb, '$[*].id'),
      test.states(r.answer::jsonb), r.missing::text
    from pgthreads.respond_turn('alice', 'k', 'a1', '[]', 't2') as r
  $$,
  $$ values ('started', 'k', 't2', 1, true, 1048576, '["u1"]'::jsonb,
    'c1 approval-responded no, c2 output-available', null::text) $$,
  'whoever goes on gets history and answer'
);
select test.everything() as everything \gset
select results_eq(
  $$
    select e.call ->> 'toolCallId', e.call ->> 'toolName', e.call ->> 'kind', e.call -> 'approved',
      e.call ->> 'reason', e.call -> 'output', e.call ->> 'respondedBy' = session_user,
      (e.call ->> 'respondedAt')::timestamptz > now() - interval '1 minute',
      length(e.call ->> 'inputSha256')
    from pgthreads.respond_turn('alice', 'k', 'a1', '[]', 't2') as r
    cross join jsonb_array_elements(r.responses) as e (call)
  $$,
  $$ values
    ('c1', 'send_mail', 'approval', 'false'::jsonb, 'no', null::jsonb, true, true, 64),
    ('c2', 'locate', 'client', null, null, '{"city": "Turin"}', true, true, 64) $$,
  'and the responses, with who gave them; repeating the call gives them again'
);
select ok(test.everything() = :'everything', 'and changes nothing');
select is(test.turns('k'), array['t1 waiting a1 ended', 't2 running'], 'a turn runs');
select is(test.open_answers(), array['k a1 t1 t2'], 'it continues the open answer');
select is(test.shown('alice', 'k'), array['1: u1'],
  'readers see the question, as while any turn runs');
select results_eq(
  $$ select r.outcome, r.turn_id, r.answer::text, r.history::text, r.lease_until > now()
    from pgthreads.respond_turn('alice', 'k', 'a1', test.both_responses() - 0
      || '[{"toolCallId": "c1", "approved": false, "reason": "no"}]', 't3') as r $$,
  $$ values ('running', 't2', null::text, null::text, true) $$,
  'whoever responds again learns that a turn runs'
);
select results_eq(
  $$ select running, waiting from pgthreads.list_threads('alice') $$,
  $$ values (true, false) $$, 'and so does the list'
);
select is(
  (select r.running from pgthreads.read_open_answer('alice', 'k') as r), true,
  'and whoever looks at the answer'
);

-- Completed.
select results_eq(
  $$
    select c.status, c.assistant_message_id, c.message_count, c.appended
    from pgthreads.complete_turn('alice', 'k', 't2', 'completed', test.answer('a1',
      test.call('c1', 'output-denied', 'send_mail',
        '{"approval": {"id": "ap-c1", "approved": false, "reason": "no"}}'),
      test.call('c2', 'output-available', 'locate', '{"output": {"city": "Turin"}}')),
      '{"tokens": 3}') as c
  $$,
  $$ values ('completed', 'a1', 2, 1) $$, 'the turn ends as any other'
);
select is(
  test.shown('alice', 'k'), array['1: u1', '2: a1 c1 output-denied no, c2 output-available'],
  'the answer is a message'
);
select is(test.open_answers(), array[]::text[], 'and not open any more');
select is(test.turns('k'), array['t1 waiting a1 ended', 't2 completed a1 {"tokens": 3} ended'],
  'each turn has its own usage');
select is((select ok from pgthreads.verify_thread('alice', 'k')), true, 'the chain holds');
select results_eq(
  $$ select running, waiting from pgthreads.list_threads('alice') $$,
  $$ values (false, false) $$, 'nothing runs or waits'
);
select results_eq(
  $$ select r.outcome, r.answer ->> 'id' from pgthreads.respond_turn('alice', 'k', 'a1',
    '[{"toolCallId": "c1", "approved": false, "reason": "no"}]', 't9') as r $$,
  $$ values ('answered', 'a1') $$, 'a response that is repeated now gets the answer'
);
select is(
  (select count(*) from pgthreads.read_open_answer('alice', 'k')), 0::bigint, 'nothing is open'
);
select is(
  test.responses(),
  array[
    format('c1 send_mail approval {"reason": "no", "approved": false} %s', session_user),
    format('c2 locate client {"output": {"city": "Turin"}} %s', session_user)
  ],
  'who gave which response is known still'
);

-- All at once; what is given is redacted, and a failed tool is a result.
select test.waits('alice', 'r', test.answer('a1', test.call('c1'), test.call('c2',
  'input-available', 'locate'))) \g /dev/null
select is(
  (
    select test.states(r.answer::jsonb)
    from pgthreads.respond_turn('alice', 'r', 'a1', jsonb_build_array(
      '{"toolCallId": "c1", "approved": true, "reason": null}'::jsonb,
      jsonb_build_object('toolCallId', 'c2', 'errorText', 'sk-' || repeat('aB3x', 10))), 't2') as r
  ),
  'c1 approval-responded, c2 output-error [REDACTED:provider_api_key]',
  'responses are redacted as messages are'
);

select * from finish();
rollback;
