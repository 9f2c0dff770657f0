-- A turn whose answer waits ends, and its answer is shown, but is no message yet.
begin;
select plan(23);
\ir ../waiting.psql

set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select pgthreads.begin_turn('alice', 'k', test.message('u1'), 't1') \g /dev/null
select pgthreads.write_journal('alice', 'k', 't1', 0, 'abc') \g /dev/null
select results_eq(
  $$
    select p.turn_id, p.status, p.message_id, p.message_count, p.usage_refused,
      p.waits_until between now() + interval '6 days 23 hours' and now() + interval '8 days',
      jsonb_path_query_array(p.calls, '$[*].keyvalue() ? (@.key != "inputSha256").value'),
      p.calls #>> '{0,inputSha256}'
    from pgthreads.pause_turn('alice', 'k', 't1',
      test.answer('a1', test.call('c0', 'output-available', 'x', '{"output": 1}'),
        test.call('c1'), test.call('c2', 'input-available', 'locate')),
      '{"tokens": 5}', 3, 'def') as p
  $$,
  format($$ values ('t1', 'waiting', 'a1', 1, null::text, true,
    '["approval", "send_mail", "c1", "client", "locate", "c2"]'::jsonb, %L) $$,
    encode(sha256(convert_to('{"to": "c1@example.org"}', 'UTF8')), 'hex')),
  'the calls that wait are found, and the turn ends'
);
select is(test.turns('k'), array['t1 waiting a1 {"tokens": 5} ended'], 'it does not run');
select is(test.journal(), array['t1 0-3 3', 't1 3-6 3'], 'its journal is whole');
select is(test.said('alice', 'k'), array['user: hello'], 'its answer is no message');
select is(
  test.shown('alice', 'k'),
  array['1: u1', '2: a1 c0 output-available, c1 approval-requested, c2 input-available'],
  'but readers see it'
);
select is(
  (select ok from pgthreads.verify_thread('alice', 'k')), true, 'the chain of digests holds'
);
select results_eq(
  $$ select j.status, j.answer ->> 'id' from pgthreads.read_journal('alice', 'k', 't1', 6) as j $$,
  $$ values ('waiting', 'a1') $$, 'followers learn how it ended'
);
select results_eq(
  $$ select running, waiting from pgthreads.list_threads('alice') $$,
  $$ values (false, true) $$, 'the list says that the thread waits'
);
select is(
  pgthreads.extend_turn('alice', 'k', 't1')::text, '(f,f,)', 'there is no lease to extend'
);

-- Again.
select test.everything() as everything \gset
select results_eq(
  $$
    select p.status, p.message_id, p.message_count, jsonb_array_length(p.calls),
      p.waits_until > now()
    from pgthreads.pause_turn('alice', 'k', 't1', test.answer('a1', test.call('c1')),
      '{"tokens": 9}',
      3, 'def') as p
  $$,
  $$ values ('waiting', 'a1', 1, 2, true) $$, 'the same call again has the same answer'
);
select ok(test.everything() = :'everything', 'and changes nothing');
select test.refuses(
  $$ select pgthreads.pause_turn('alice', 'k', 't1', test.answer('a2', test.call('c1'))) $$,
  'THLST', 'Turn t1 of thread k is waiting.', '%ends once%', 'another answer'
);
select test.refuses(
  $$ select pgthreads.complete_turn('alice', 'k', 't1', 'completed', test.message('a1', 'x',
    'assistant')) $$,
  'THLST', null, null, 'a turn that waits is not completed'
);

-- A lease that ran out unclaimed.
select pgthreads.begin_turn('alice', 'late', test.message('u1'), 't1') \g /dev/null
select test.end_lease('t1') \g /dev/null
select is(
  (select status from pgthreads.pause_turn('alice', 'late', 't1', test.answer('a1',
    test.call('c1')))),
  'waiting', 'a lease that ran out is taken back'
);
-- One that was claimed.
select pgthreads.begin_turn('alice', 'lost', test.message('u1'), 't2') \g /dev/null
select test.end_lease('t2') \g /dev/null
select pgthreads.begin_turn('alice', 'lost', test.message('u2'), 't3') \g /dev/null
select test.refuses(
  $$ select pgthreads.pause_turn('alice', 'lost', 't2', test.answer('a1', test.call('c1'))) $$,
  'THLST', 'Turn t2 of thread lost is abandoned.', '%ends once%', 'a turn that was given up'
);

-- Usage that cannot be stored, secrets, and a call that its provider runs.
select pgthreads.begin_turn('alice', 's', test.message('u1'), 't1') \g /dev/null
select results_eq(
  $$
    select p.usage_refused, jsonb_array_length(p.calls)
    from pgthreads.pause_turn('alice', 's', 't1',
      test.answer('a1',
        test.call('c1', 'approval-requested', 'send_mail',
          jsonb_build_object('input', 'sk-' || repeat('aB3x', 10))),
        test.call('c2', 'input-available', 'search', '{"providerExecuted": true}')),
      jsonb_build_object('n', repeat('x', 70000))) as p
  $$,
  $$ values ('THMAX', 1) $$, 'usage is worth less than the answer'
);
select is(
  (select r.message #>> '{parts,2,input}' from pgthreads.read_open_answer('alice', 's') as r),
  '[REDACTED:provider_api_key]', 'the answer is redacted'
);
select is(
  (select r.calls #>> '{0,inputSha256}' from pgthreads.read_open_answer('alice', 's') as r),
  encode(sha256(convert_to('"[REDACTED:provider_api_key]"', 'UTF8')), 'hex'),
  'and so is the input that the digest is of'
);

-- No answer limits how long it waits.
reset role;
update pgthreads.config set max_wait = null;
set local role tap_server;
select pgthreads.begin_turn('alice', 'ever', test.message('u1'), 't1') \g /dev/null
select is(
  (select p.waits_until from pgthreads.pause_turn('alice', 'ever', 't1',
    test.answer('a1', test.call('c1'))) as p), null, 'an answer may wait for ever'
);

-- Nobody else sees it.
select pgthreads.set_tenant('bob') \gset
select is((select count(*) from pgthreads.open_answer), 0::bigint, 'others do not see it');
select throws_ok(
  $$ select pgthreads.pause_turn('alice', 'k', 't1', test.answer('a1', test.call('c1'))) $$,
  'THTEN', null, 'and do not pause its turns'
);
select throws_ok('delete from pgthreads.open_answer', '42501', null, 'a server writes none');
select throws_ok('select * from pgthreads.tool_response', '42501', null, 'nor reads responses');

select * from finish();
rollback;
