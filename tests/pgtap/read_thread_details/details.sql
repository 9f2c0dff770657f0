-- Details come with the messages, and change nothing that is stored.
begin;
select plan(19);
\ir ../waiting.psql

create function test.details(p_key text, p_last int default null)
returns setof jsonb language sql as $$
  select e.message::jsonb #> '{metadata,pgthreads}'
  from pgthreads.read_thread_details('alice', p_key, p_last) as r
  cross join lateral json_array_elements(r.messages) with ordinality as e (message, place)
  order by e.place;
$$;

select pgthreads.set_tenant('alice') \gset
select pgthreads.begin_turn('alice', 'k',
  test.message('u1') || '{"metadata": {"mine": true}}', 't1') \g /dev/null
select pgthreads.complete_turn('alice', 'k', 't1', 'completed',
  test.message('a1', 'yes', 'assistant'), '{"input_tokens": 3, "model": "test:one"}') \g /dev/null
select pgthreads.append_thread('alice', 'k',
  jsonb_build_array(test.message('s1') || '{"metadata": "mine"}')) \g /dev/null
select to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') as time
from pgthreads.message where message_id = 'a1' \gset
update pgthreads.turn set started_at = finished_at - interval '1.25 seconds';
set local time zone 'Asia/Kolkata';
select test.everything() as before \gset
set local role tap_server;
select is(
  (select r.messages::jsonb #- '{0,metadata,pgthreads}' #- '{1,metadata}'
    from pgthreads.read_thread_details('alice', 'k') as r),
  pgthreads.load_thread('alice', 'k')::jsonb,
  'the messages are those that are stored'
);
select results_eq(
  $$ select state_key, title, message_count, metadata, created_at, updated_at, earlier_seq
    from pgthreads.read_thread_details('alice', 'k', 2) $$,
  $$ select state_key, title, message_count, metadata, created_at, updated_at, earlier_seq
    from pgthreads.read_thread('alice', 'k', 2) $$,
  'and so is the header'
);
select is(
  (select d from test.details('k', 2) as d limit 1),
  jsonb_build_object('createdAt', :'time' || '+00:00', 'status', 'completed', 'model', 'test:one',
    'durationMs', 1250),
  'an answer has what is known of its turn'
);
select is(
  (select array_agg(k order by k) from (select d from test.details('k') as d limit 1) as q,
    jsonb_object_keys(d) as k),
  array['createdAt'], 'a question has the time alone'
);
select is(
  (select messages -> 2 ->> 'metadata' from pgthreads.read_thread_details('alice', 'k')), 'mine',
  'metadata that is no object stays as it is'
);
select is_empty($$ select * from pgthreads.read_thread_details('alice', 'none') $$,
  'a thread that does not exist has no row');
select throws_ok($$ select * from pgthreads.read_thread_details('bob', 'k') $$, 'THTEN', null,
  'only the tenant''s threads are read');

-- The digest covers what is said.
select digest as known from pgthreads.read_thread_details('alice', 'k') \gset
select isnt(:'known'::text, (select digest from pgthreads.read_thread('alice', 'k')),
  'the digest is another one');
select results_eq(
  format($$ select digest, messages::text, earlier_seq
    from pgthreads.read_thread_details('alice', 'k', null, null, %L) $$, :'known'),
  format($$ values (%L, null::text, null::int) $$, :'known'), 'who knows it gets no messages'
);
reset role;
select is(test.everything(), :'before', 'nothing is written');
update pgthreads.config set show_usage = true;
set local role tap_server;
select is(
  (select d -> 'usage' from test.details('k', 2) as d limit 1), '{"input_tokens": 3}',
  'usage is there if the operator allows it'
);
select isnt(:'known'::text, (select digest from pgthreads.read_thread_details('alice', 'k')),
  'and the digest changes with it');

-- An answer that waits, and goes on in another turn.
reset role;
select test.waits(p_key => 'w') \g /dev/null
update pgthreads.turn set usage = '{"input_tokens": 3, "by": {"x": 1}, "model": "test:one"}',
  started_at = finished_at - interval '1 second' where state_key = 'w';
set local role tap_server;
select is(
  (select d - 'createdAt' from test.details('w', 1) as d),
  '{"status": "waiting", "model": "test:one", "durationMs": 1000,
    "usage": {"input_tokens": 3, "by": {"x": 1}}}', 'an answer waits'
);
select isnt((select d ->> 'createdAt' from test.details('w', 1) as d), null, 'since then');
select pgthreads.respond_turn('alice', 'w', 'a1', test.both_responses(), 't2') \g /dev/null
reset role;
select pgthreads.complete_turn('alice', 'w', 't2', 'completed',
  test.message('a1', 'yes', 'assistant'),
  '{"input_tokens": 4, "by": {"x": 2}, "model": "test:two"}') \g /dev/null
update pgthreads.turn set started_at = finished_at - interval '0.5 seconds' where turn_id = 't2';
set local role tap_server;
select is(
  (select d - 'createdAt' from test.details('w', 1) as d),
  '{"status": "completed", "model": "test:two", "durationMs": 1500,
    "usage": {"input_tokens": 7, "by": {"x": 2}}}', 'all its turns count'
);
reset role;
select test.waits(p_key => 'c') \g /dev/null
set local role tap_server;
select pgthreads.append_thread('alice', 'c', test.messages(1, 1)) \g /dev/null
select is(
  (select array_agg(d ->> 'status') from test.details('c') as d), array[null, 'stopped', null],
  'an answer that was closed does not wait'
);

-- A turn that runs says nothing, and neither does one that was purged.
select pgthreads.begin_turn('alice', 'r', test.message('u1'), 't1') \g /dev/null
select pgthreads.append_thread('alice', 'r',
  jsonb_build_array(test.message('a1', 'yes', 'assistant')), null, 't1') \g /dev/null
select digest as early from pgthreads.read_thread_details('alice', 'r') \gset
select is((select d ? 'status' from test.details('r', 1) as d), false,
  'its answer is there before');
select pgthreads.finish_turn('alice', 'r', 't1', 'completed') \g /dev/null
select is((select d ->> 'status' from test.details('r', 1) as d), 'completed', 'then it has ended');
select isnt(:'early'::text, (select digest from pgthreads.read_thread_details('alice', 'r')),
  'and the digest says so, though the thread has not grown');

select * from finish();
rollback;
