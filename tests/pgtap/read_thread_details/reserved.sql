-- What comes back under the key of the details is never stored, and is no difference.
begin;
select plan(9);
\ir ../waiting.psql

create function test.sent(p_key text, p_place int) returns jsonb language sql as $$
  select messages::jsonb -> p_place from pgthreads.read_thread_details('alice', p_key);
$$;
create function test.shown(p_key text) returns jsonb language sql as $$
  select messages::jsonb from pgthreads.read_thread_details('alice', p_key);
$$;
create function test.stored() returns text language sql as $$
  select string_agg(m.message::text, ' ') from pgthreads.message as m
  where m.message::text like '%pgthreads%';
$$;

select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'k', jsonb_build_array(
  test.message('m1') || '{"metadata": {"pgthreads": {"createdAt": "forged"}, "mine": 1}}',
  test.message('m2') || '{"metadata": {"pgthreads": 1}}',
  test.message('m3') || '{"metadata": ["pgthreads"]}')) \g /dev/null
select is(
  pgthreads.load_thread('alice', 'k')::jsonb,
  jsonb_build_array(test.message('m1') || '{"metadata": {"mine": 1}}', test.message('m2'),
    test.message('m3') || '{"metadata": ["pgthreads"]}'),
  'an append leaves it out'
);
select results_eq(
  $$ select appended from pgthreads.append_thread('alice', 'k',
    jsonb_build_array(test.sent('k', 0), test.sent('k', 1))) $$,
  $$ values (0) $$, 'a message that was read is the one that is stored'
);
select results_eq(
  $$ select message_count, appended from pgthreads.save_thread('alice', 'k',
    test.shown('k') || test.message('m4', 'yes', 'assistant')) $$,
  $$ values (4, 1) $$, 'and so is a whole thread'
);

-- A question that was read is sent again: as it is, for another answer, and edited.
select pgthreads.begin_turn('alice', 'q', test.message('u1'), 't1') \g /dev/null
select is(
  (select outcome from pgthreads.begin_turn('alice', 'q', test.sent('q', 0), 't2',
    p_parent_id => '', p_on_stale => 'append')), 'running', 'it is the one that is being answered'
);
select pgthreads.complete_turn('alice', 'q', 't1', 'completed',
  test.message('a1', 'yes', 'assistant')
    || '{"metadata": {"pgthreads": {"status": "forged"}}}') \g /dev/null
select results_eq(
  $$ select outcome, message_count from pgthreads.begin_turn('alice', 'q', test.sent('q', 0), 't3',
    p_replaces => 'a1', p_regenerate => true, p_parent_id => '', p_on_stale => 'append') $$,
  $$ values ('started', 2) $$, 'it is answered again where it stands'
);
select pgthreads.complete_turn('alice', 'q', 't3', 'completed',
  test.message('a2', 'no', 'assistant')) \g /dev/null
select results_eq(
  $$ select outcome, message_count from pgthreads.begin_turn('alice', 'q',
    test.message('u1', 'another') || '{"metadata": {"pgthreads": {}}}', 't4',
    p_replaces => 'u1', p_parent_id => '', p_on_stale => 'append') $$,
  $$ values ('started', 4) $$, 'an edit of it is stored beside it'
);
select is(
  (select m.message::jsonb ? 'metadata' from pgthreads.message as m
    where m.state_key = 'q' and m.seq = 4), false, 'without its details'
);
select pgthreads.complete_turn('alice', 'q', 't4', 'completed') \g /dev/null
select test.waits(p_key => 'w',
  p_answer => test.answer('a1', test.call('c1')) || '{"metadata": {"pgthreads": 1}}') \g /dev/null
select is(
  (select r.message::jsonb ? 'metadata' from pgthreads.read_open_answer('alice', 'w') as r), false,
  'an answer that waits has none'
);
select is(test.stored(), (
    select string_agg(m.message::text, ' ') from pgthreads.message as m where m.message_id = 'm3'),
  'nothing else of it is stored');

select * from finish();
rollback;
