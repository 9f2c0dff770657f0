-- How the turn that goes on ends, and what becomes of the answer if its server dies.
begin;
select plan(34);
\ir ../waiting.psql

create function test.goes_on(p_key text, p_turn_id text default 't2') returns text language sql
  as $$
  select outcome from pgthreads.respond_turn('alice', p_key, 'a1', test.both_responses(),
    p_turn_id);
$$;
create function test.done(p_id text default 'a1') returns jsonb language sql immutable
return test.answer(p_id,
  test.call('c1', 'output-available', 'send_mail',
    '{"output": "sent", "approval": {"id": "ap-c1", "approved": true}}'),
  test.call('c2', 'output-available', 'locate', '{"output": {"city": "Turin"}}'),
  '{"type": "text", "text": "Done."}');

-- It appends by itself, and ends.
select test.waits('alice', 'k') \g /dev/null
set local role tap_server;
select is(test.goes_on('k'), 'started', 'goes on');
select test.refuses(
  format('select pgthreads.%s', call), 'THMSG', 'The turn continues ''a1'' of thread k%', null,
    what)
from (values
  ($$complete_turn('alice', 'k', 't2', 'completed', test.done('a2'))$$, 'another id'),
  ($$append_thread('alice', 'k', jsonb_build_array(test.done('a2')), null, 't2')$$,
    'another id, appended'),
  ($$pause_turn('alice', 'k', 't2', test.answer('a2', test.call('c3')))$$, 'another id that waits')
) as v (call, what);
select results_eq(
  $$ select message_count, appended from pgthreads.append_thread('alice', 'k',
    jsonb_build_array(test.done(), test.message('a2', 'And more.', 'assistant')), null, 't2') $$,
  $$ values (3, 2) $$, 'the first message of an append is the answer'
);
select results_eq(
  $$ select appended from pgthreads.append_thread('alice', 'k',
    jsonb_build_array(test.message('a3', 'And more.', 'assistant')), null, 't2') $$,
  $$ values (1) $$, 'others may come behind it'
);
select is(
  (select status from pgthreads.finish_turn('alice', 'k', 't2', 'completed')), 'completed', 'ends'
);
select is(test.open_answers(), array[]::text[], 'the answer is open no more');

-- It waits again, for another call.
select test.waits('alice', 'again') \g /dev/null
select test.goes_on('again') \g /dev/null
select test.refuses(
  $$ select pgthreads.pause_turn('alice', 'again', 't2', test.answer('a1', test.call('c1'))) $$,
  'THMSG', 'A call that waits in message ''a1'' of thread again has a response.', null,
  'but not for one that had its response'
);
select is(
  (select p.calls #>> '{0,toolCallId}' from pgthreads.pause_turn('alice', 'again', 't2',
    test.done() || jsonb_build_object('parts', (test.done() -> 'parts')
      || test.call('c3', 'input-available'))) as p),
  'c3', 'it waits again, for the new call alone'
);
select is(
  test.shown('alice', 'again'),
  array['1: u1', '2: a1 c1 output-available, c2 output-available, c3 input-available'],
  'with all that came before'
);
select is(test.open_answers(), array['again a1 t2'], 'it is one open answer');
select is(test.turns('again'), array['t1 waiting a1 ended', 't2 waiting a1 ended'], 'of two turns');
select is(
  (select p.status from pgthreads.pause_turn('alice', 'again', 't1',
    test.answer('a1', test.call('c1'))) as p),
  'waiting', 'a worker that repeats the first pause now changes nothing'
);
select is((select r.turn_id from pgthreads.read_open_answer('alice', 'again') as r), 't2',
  'of what waits');
select is(
  (select r.outcome from pgthreads.respond_turn('alice', 'again', 'a1', test.both_responses(), 't3')
    as r), 'waiting', 'the earlier responses repeated begin nothing'
);
select is(
  (select r.outcome from pgthreads.respond_turn('alice', 'again', 'a1',
    '[{"toolCallId": "c3", "output": null}]', 't3') as r), 'started', 'the new one does'
);
select pgthreads.complete_turn('alice', 'again', 't3', 'completed', test.done()) \g /dev/null
select is(test.open_answers(), array[]::text[], 'and then it is complete');

-- It ends with nothing.
select test.waits('alice', 'failed') \g /dev/null
select test.goes_on('failed') \g /dev/null
select results_eq(
  $$ select status, assistant_message_id, message_count from pgthreads.complete_turn('alice',
    'failed', 't2', 'failed', p_error_code => 'model_gone') $$,
  $$ values ('failed', 'a1', 2) $$, 'a turn that brings nothing leaves what there was'
);
select is(
  test.shown('alice', 'failed'),
  array['1: u1', '2: a1 failed c1 output-error not run, c2 output-available'], 'closed'
);

-- Its server dies: with a journal, without one, and when somebody responds again.
select test.waits('alice', 'dead') \g /dev/null
select test.goes_on('dead') \g /dev/null
select pgthreads.write_journal('alice', 'dead', 't2', 0,
  E'data: {"type":"start","messageId":"a1","messageMetadata":{"n":1}}\n\n'
  'data: {"type":"tool-output-available","toolCallId":"c2","output":"forged"}\n\n'
  'data: {"type":"tool-output-available","toolCallId":"c1","output":"sent"}\n\n'
  'data: {"type":"start-step"}\n\ndata: {"type":"text-start","id":"0"}\n\n'
  'data: {"type":"text-delta","id":"0","delta":"It is"}\n\n') \g /dev/null
select is(test.shown('alice', 'dead'), array['1: u1'], 'while it runs the answer is in its stream');
select test.end_lease('t2') \g /dev/null
select is(
  test.shown('alice', 'dead'),
  array['1: u1', '2: a1 c1 approval-responded, c2 output-available'],
  'when its lease has ended the answer is shown again, with its responses'
);
select is(
  (select b.outcome from pgthreads.begin_turn('alice', 'dead', test.message('u2'), 't3') as b),
  'started', 'the next message gives it up'
);
select is(
  test.shown('alice', 'dead'),
  array['1: u1', '2: a1 abandoned c1 output-available, c2 output-available', '3: u2'],
  'and there is what the person has seen'
);
select is(
  (select jsonb_path_query_array(m.message::jsonb, '$.parts[*].keyvalue() ? (@.key == "text"
    || @.key == "output" || @.key == "type").value')
    from pgthreads.read_messages('alice', 'dead') as m where m.seq = 2),
  '["step-start", "Let me see.", "text", "tool-send_mail", "sent", "tool-locate",
    {"city": "Turin"}, "step-start", "It is", "text"]'::jsonb,
  'both halves of it, in order'
);
select is(
  (select m.message #>> '{metadata,n}' from pgthreads.read_messages('alice', 'dead') as m
    where m.seq = 2), '1', 'with the metadata of both'
);
select is(test.turns('dead'),
  array['t1 waiting a1 ended', 't2 abandoned a1 ended', 't3 running'], 'the turn is abandoned');

select test.waits('alice', 'silent') \g /dev/null
select test.goes_on('silent') \g /dev/null
select test.end_lease('t2') \g /dev/null
select results_eq(
  $$ select r.outcome, test.states(r.answer::jsonb)
    from pgthreads.respond_turn('alice', 'silent', 'a1', test.both_responses(), 't3') as r $$,
  $$ values ('answered', 'c1 output-error The answer was abandoned before the tool returned a '
    'result., c2 output-available') $$,
  'a response that is repeated when the turn has died gets what there is'
);

-- A lease that comes back.
select test.waits('alice', 'late') \g /dev/null
select test.goes_on('late') \g /dev/null
select test.end_lease('t2') \g /dev/null
select results_eq(
  $$ select status, appended from pgthreads.complete_turn('alice', 'late', 't2', 'completed',
    test.done()) $$,
  $$ values ('completed', 1) $$, 'a turn that was only late completes the answer'
);
select results_eq(
  $$ select status, appended, message_count from pgthreads.complete_turn('alice', 'late', 't2',
    'completed', test.done()) $$,
  $$ values ('completed', 0, 2) $$, 'once'
);
select test.refuses(
  $$ select pgthreads.respond_turn('alice', 'late', 'a1', '[{"toolCallId": "c7", "output": 1}]',
    't4') $$,
  'THWAI', 'Message ''a1'' of thread late does not wait.', null, 'then nothing waits'
);

-- What cannot be appended keeps nobody from going on.
select test.waits('alice', 'stuck') \g /dev/null
select test.goes_on('stuck') \g /dev/null
select test.end_lease('t2') \g /dev/null
reset role;
set local client_min_messages = error;
update pgthreads.config set max_message_bytes = 300;
set local role tap_server;
select is(
  (select b.outcome from pgthreads.begin_turn('alice', 'stuck', test.message('u2'), 't3') as b),
  'started', 'a limit that was lowered keeps nobody from going on'
);
select is(test.shown('alice', 'stuck'), array['1: u1', '2: u2'], 'without the answer');
reset role;
select is(
  array(select l.turn_id || ' ' || l.reason from pgthreads.late_answer as l order by 1),
  array['t1 open_refused', 't2 partial_refused'], 'which is kept aside'
);

select * from finish();
rollback;
