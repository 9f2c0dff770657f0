-- EXACTLY_ONCE after a change of the redaction rules: a message that was stored before a rule was
-- enabled is still the same message when it is sent again.
begin;
select plan(6);
\ir ../helpers.psql

update pgthreads.redaction_rule set enabled = false where name = 'email';
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select pgthreads.begin_turn('alice', 'k', test.message('u1', 'I am ada@example.org'),
  't1') \g /dev/null
select pgthreads.append_thread('alice', 'k',
  jsonb_build_array(test.message('a1', 'Hello ada@example.org', 'assistant')), null,
    't1') \g /dev/null
reset role;
update pgthreads.redaction_rule set enabled = true where name = 'email';
set local role tap_server;
select pgthreads.set_tenant('alice') \gset

select is(
  (select appended from pgthreads.append_thread('alice', 'k',
    jsonb_build_array(test.message('a1', 'Hello ada@example.org', 'assistant')), null, 't1')),
  0, 'an answer whose commit was not heard of'
);
select is(
  (select outcome from pgthreads.begin_turn('alice', 'k',
    test.message('u1', 'I am ada@example.org'), 't2')),
  'running', 'a question sent again'
);
select pgthreads.finish_turn('alice', 'k', 't1', 'completed') \g /dev/null
select is(
  (select outcome from pgthreads.begin_turn('alice', 'k',
    test.message('u1', 'I am ada@example.org'), 't2',
    p_regenerate => true, p_on_stale => 'append')),
  'started', 'a question that is answered again'
);
select is(
  (select message_count from pgthreads.read_thread('alice', 'k')), 2, 'each is stored once'
);
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k',
    jsonb_build_array(test.message('a1', 'Hello you', 'assistant')), null, 't2') $$,
  'THDUP', '%a1%', null, 'other content is refused as ever'
);
select is(
  (select messages::text from pgthreads.read_thread('alice', 'k', p_leaf_id => 'a1'))
    like '%ada@example.org%', true, 'and what is stored stays'
);

select * from finish();
rollback;
