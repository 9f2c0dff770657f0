-- Readers show an answer that waits as the last message.
begin;
select plan(32);
\ir ../waiting.psql

create function test.ids(p_messages json) returns text language sql immutable as $$
  select coalesce(string_agg(e.value ->> 'id', ' ' order by e.place), '-')
  from json_array_elements(p_messages) with ordinality as e (value, place);
$$;
create function test.read(p_key text, p_last int default null, p_before int default null,
  p_leaf text default null)
returns text language sql as $$
  select concat_ws(' ', test.ids(r.messages), r.message_count, coalesce(r.earlier_seq::text, '-'),
    case when test.ids(r.messages)
      <> test.ids(pgthreads.load_thread('alice', p_key, p_last, p_before, p_leaf)) then 'load' end,
    case when test.ids(r.messages) <> coalesce((
      select string_agg(m.message ->> 'id', ' ' order by m.seq)
      from pgthreads.read_messages('alice', p_key, p_last, p_before, p_leaf) as m
    ), '-') then 'read' end)
  from pgthreads.read_thread('alice', p_key, p_last, p_before, null, p_leaf) as r;
$$;
create function test.digest(p_key text) returns text language sql
as $$ select digest from pgthreads.read_thread('alice', p_key); $$;

select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'k', test.messages(1, 4)) \g /dev/null
select test.digest('k') as empty \gset
select test.waits() \g /dev/null
set local role tap_server;
select is(test.read('k'), 'm1 m2 m3 m4 u1 a1 5 -', 'all of it');
select is(test.read('k', 3), 'm4 u1 a1 5 4', 'the last ones');
select is(test.read('k', 1), 'a1 5 6', 'nothing but the answer');
select is(test.read('k', 2, 6), 'm4 u1 5 4', 'the page before that');
select is(test.read('k', null, 7), 'm1 m2 m3 m4 u1 a1 5 -', 'a window that ends behind it');
select is(test.read('k', 1, 2), 'm1 5 -', 'one that ends far before it');
select is(test.read('k', null, null, 'a1'), 'm1 m2 m3 m4 u1 a1 5 -', 'its id as the leaf');
select is(test.read('k', null, null, 'm2'), 'm1 m2 5 -', 'another leaf');
select throws_ok($$ select test.read('k', null, null, 'a9') $$, 'THNON', null, 'an unknown leaf');
select is((select max(m.seq) from pgthreads.read_messages('alice', 'k') as m), 6,
  'its seq is the one that it will have');
select is(
  pgthreads.load_thread('alice', 'k', 1)::text,
  format('[%s]', (select r.message from pgthreads.read_open_answer('alice', 'k') as r)),
  'its bytes are those that are stored'
);
select is(
  (select jsonb_path_query_array(v.messages, '$[*].id') from pgthreads.ai_threads as v),
  '["m1", "m2", "m3", "m4", "u1", "a1"]', 'the view shows it'
);
reset role;
update pgthreads.config set max_page_bytes = 1;
set local role tap_server;
select is(test.read('k'), 'u1 a1 5 5 load read',
  'a page that has no room shows the question with it');
reset role;
update pgthreads.config set max_page_bytes = 4194304;
set local role tap_server;

-- Each state of it has a digest of its own.
select test.digest('k') as asked \gset
select isnt(:'asked'::text, :'empty', 'a digest of its own');
select results_eq(
  format($$ select messages::text, digest from pgthreads.read_thread('alice', 'k',
    p_known_digest => %L) $$, :'asked'),
  format($$ values (null::text, %L) $$, :'asked'), 'who has it is not sent it again'
);
select is((select r.digest from pgthreads.read_thread('alice', 'k', 1) as r), :'asked',
  'it is that of any window');
select is((select r.digest from pgthreads.read_thread('alice', 'k', p_leaf_id => 'a1') as r),
  :'asked', 'and of its leaf');
select pgthreads.respond_turn('alice', 'k', 'a1', '[{"toolCallId": "c1", "approved": true}]')
  \g /dev/null
select test.digest('k') as given \gset
select isnt(:'given'::text, :'asked', 'a response changes it');
select results_eq(
  format($$ select test.ids(messages) from pgthreads.read_thread('alice', 'k',
    p_known_digest => %L) $$, :'asked'),
  array['m1 m2 m3 m4 u1 a1'], 'and who has the digest before that is sent all'
);
select pgthreads.respond_turn('alice', 'k', 'a1', test.both_responses(), 't2') \g /dev/null
select is(test.read('k'), 'm1 m2 m3 m4 u1 5 -', 'while a turn continues it the question is last');
select isnt(test.digest('k'), :'given', 'with another digest');
select is(
  (select jsonb_path_query_array(v.messages, '$[*].id') from pgthreads.ai_threads as v),
  '["m1", "m2", "m3", "m4", "u1", "a1"]', 'the view shows what is stored'
);
select test.end_lease('t2') \g /dev/null
select is(test.read('k'), 'm1 m2 m3 m4 u1 a1 5 -', 'when that is dead it is shown again');
select pgthreads.complete_turn('alice', 'k', 't2', 'completed', test.message('a1', 'Done.',
  'assistant')) \g /dev/null
select is(test.read('k'), 'm1 m2 m3 m4 u1 a1 6 -', 'then it is a message');
select is(test.digest('k'), (select encode(m.digest, 'hex') from pgthreads.message as m
  where m.seq = 6), 'and its digest that of the chain');

-- A branch.
select pgthreads.begin_turn('alice', 'k', test.message('m1', 'text 1'), 't3', p_regenerate => true,
  p_on_stale => 'append') \g /dev/null
select pgthreads.pause_turn('alice', 'k', 't3', test.answer('b1', test.call('c1'))) \g /dev/null
select is(test.read('k'), 'm1 b1 6 -', 'an answer to an earlier question shows its own branch');
select is(test.read('k', null, null, 'a1'), 'm1 m2 m3 m4 u1 a1 6 -', 'the other one is there');
select is(
  (select jsonb_path_query_array(v.messages, '$[*].id') from pgthreads.ai_threads as v),
  '["m1", "b1"]', 'the view shows that branch, too'
);
select pgthreads.append_thread('alice', 'k', jsonb_build_array(test.message('u2'))) \g /dev/null
select is(test.read('k'), 'm1 b1 u2 8 -', 'and it goes on');
select pgthreads.begin_turn('alice', 'k', test.message('u3'), 't4') \g /dev/null
select pgthreads.pause_turn('alice', 'k', 't4', test.answer('b2', test.call('c1'))) \g /dev/null
select is(test.read('k', 3), 'u2 u3 b2 9 8', 'with an answer that waits again, in a window');
select is(test.read('k', 1), 'b2 9 10', 'or alone');
select pgthreads.set_tenant('bob') \gset
select is((select count(*) from pgthreads.ai_threads), 0::bigint, 'others see nothing');

select * from finish();
rollback;
