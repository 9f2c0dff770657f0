-- Redaction rules that are enabled while an answer waits.
begin;
select plan(7);
\ir ../waiting.psql

select test.waits('alice', 'k', test.answer('a1', test.call('c1'), test.call('c2',
  'input-available',
  'locate'))) \g /dev/null
select (r.calls #>> '{0,inputSha256}') as sha from pgthreads.read_open_answer('alice', 'k')
  as r \gset
select pgthreads.respond_turn('alice', 'k', 'a1',
  '[{"toolCallId": "c2", "output": "ada@example.org"}]') \g /dev/null
update pgthreads.redaction_rule set enabled = true where name = 'email';
set local role tap_server;
select is(
  (select r.message #>> '{parts,2,input,to}' from pgthreads.read_open_answer('alice', 'k') as r),
  'c1@example.org', 'what is stored stays as it is'
);
select is(
  (select r.outcome from pgthreads.respond_turn('alice', 'k', 'a1',
    '[{"toolCallId": "c2", "output": "ada@example.org"}]') as r),
  'waiting', 'the same response is the same still'
);
select is(
  (select r.outcome from pgthreads.respond_turn('alice', 'k', 'a1',
    '[{"toolCallId": "c1", "approved": true, "reason": "ask bob@example.org"}]') as r),
  'ready', 'the next one'
);
select is(
  (select concat_ws(' ', r.message #>> '{parts,2,input,to}',
    r.message #>> '{parts,2,approval,reason}',
    r.message #>> '{parts,3,output}') from pgthreads.read_open_answer('alice', 'k') as r),
  '[REDACTED:email] ask [REDACTED:email] [REDACTED:email]',
    'is redacted, and the whole answer with it'
);
select is(
  (select r.outcome from pgthreads.respond_turn('alice', 'k', 'a1',
    '[{"toolCallId": "c1", "approved": true, "reason": "ask bob@example.org"}]') as r),
  'ready', 'and that repeated is the same'
);
reset role;
select is(array(select r.input_sha256 from pgthreads.tool_response as r
  where r.tool_call_id = 'c1'),
  array[:'sha'], 'what was approved is the input that was shown');

-- An answer that is closed is redacted by the rules of then.
update pgthreads.redaction_rule set enabled = false where name = 'email';
select test.waits('alice', 'r') \g /dev/null
update pgthreads.redaction_rule set enabled = true where name = 'email';
select pgthreads.request_stop('alice', 'r') \g /dev/null
select is(
  (select m.message #>> '{parts,2,input,to}' from pgthreads.read_messages('alice', 'r') as m
    where m.seq = 2), '[REDACTED:email]', 'a message is redacted when it becomes one'
);

select * from finish();
rollback;
