-- When a turn starts, the user message is stored, the lease is taken, and the history is returned.
begin;
select plan(17);
\ir ../helpers.psql

set local role tap_server;
select pgthreads.set_tenant('alice') \gset
create temp table begun as select * from pgthreads.begin_turn('alice', null, test.message('u1'),
  't1');
select results_eq(
  $$ select outcome, turn_id, message_count, max_message_bytes, answer::text from begun $$,
  $$ values ('started', 't1', 1, 1048576, null::text) $$, 'a new thread and its first turn'
);
select matches((select state_key from begun), '^[A-Za-z0-9_-]{21}$', 'under a nanoid');
select ok(
  (select lease_until - clock_timestamp() between '50 seconds' and '60 seconds' from begun),
  'leased for config.lease'
);
select is(
  (select history::jsonb from begun), jsonb_build_array(test.message('u1')),
  'the history is what is stored'
);
select results_eq(
  $$ select running, title from pgthreads.list_threads('alice') $$, $$ values (true, 'hello') $$,
  'the list shows it running'
);

-- A second turn, with the last messages as its history.
select pgthreads.append_thread('alice', b.state_key,
  jsonb_build_array(test.message('a1', 'answer', 'assistant')), 1, 't1'),
  pgthreads.finish_turn('alice', b.state_key, 't1', 'completed')
from begun as b \g /dev/null
create temp table second as
select b.*
from begun as f, lateral pgthreads.begin_turn(
  'alice', f.state_key, test.message('u2', 'again'), 't2', 2, '{"m": 1}') as b;
select is(
  (select jsonb_path_query_array(history::jsonb, '$[*].id') from second), '["u2"]',
  'p_last cuts the history, which begins with a user''s message then'
);
select is(
  (select metadata from second as s, lateral pgthreads.read_thread('alice', s.state_key)),
  '{"m": 1}', 'p_metadata is the thread''s'
);

-- What a client has put next to text and files is not stored.
select pgthreads.begin_turn('alice', 'p', jsonb_build_object(
  'id', 'u', 'role', 'user', 'metadata', jsonb '{"a": 1}', 'createdAt', 1, 'content', 'old',
  'parts', jsonb '[
    {"type": "text", "text": "a", "state": "done", "providerMetadata": {"p": {"cache": true}}},
    {"type": "file", "mediaType": "text/plain", "url": "data:text/plain,x", "filename": "f",
      "providerMetadata": {"p": {}}, "extra": 1}]'), 't') \g /dev/null
select is(
  pgthreads.load_thread('alice', 'p')::jsonb,
  '[{"id": "u", "role": "user", "metadata": {"a": 1}, "parts": [{"type": "text", "text": "a"},
    {"type": "file", "mediaType": "text/plain", "url": "data:text/plain,x", "filename": "f"}]}]',
  'only text and files are kept'
);
select is(
  (select jsonb_array_length(history::jsonb -> 0 -> 'parts') from pgthreads.begin_turn(
    'alice', 'many', jsonb_build_object('id', 'u', 'role', 'user', 'parts',
      (select jsonb_agg(jsonb '{"type": "text", "text": "a"}') from generate_series(1, 30000))),
        't')),
  30000, 'a message of 30,000 parts is taken in passing'
);
select is(
  (select history::jsonb #>> '{0,parts,0,text}' from pgthreads.begin_turn(
    'alice', 's', test.message('u', 'sk-' || repeat('a', 40)), 't')),
  '[REDACTED:provider_api_key]', 'the history holds what is stored'
);

reset role;
update pgthreads.config set lease = '2 hours';
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select ok(
  (select lease_until - clock_timestamp() between '119 minutes' and '120 minutes'
    from pgthreads.begin_turn('alice', 'lease', test.message('u'), 't')),
  'the lease is config.lease'
);
select lives_ok(
  format('select pgthreads.begin_turn(%L, %L, test.message(%L), %L)', 'alice', 'id', 'u',
    repeat('é', 128)),
  'a turn id of 128 characters'
);
select results_eq(
  $$ select outcome, turn_id from pgthreads.begin_turn('alice', 'other', test.message('u1'),
    't1') $$,
  $$ values ('started', 't1') $$, 'turn and message ids are a thread''s own'
);

-- A user message that is stored already, without a turn.
select pgthreads.save_thread('alice', 'saved', jsonb_build_array(test.message('u1'))) \g /dev/null
select results_eq(
  $$ select outcome, message_count from pgthreads.begin_turn('alice', 'saved', test.message('u1'),
    't') $$,
  $$ values ('started', 1) $$, 'an imported message can be answered'
);
reset role;
select results_eq(
  $$ select user_seq from pgthreads.turn where state_key = 'saved' $$, array[1],
  'and its turn knows which one it is'
);
select is(
  (select count(*) from pgthreads.message where state_key = 'saved'), 1::bigint, 'stored once'
);
select is(
  (select user_seq from pgthreads.turn where turn_id = 't2'), 3, 'a turn has the seq of its message'
);

select * from finish();
rollback;
