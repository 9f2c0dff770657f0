-- What a call stores and returns: seq without gaps, canonical bytes, the digest chain, title and
-- metadata.
begin;
select plan(28);
\ir ../helpers.psql

set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select results_eq(
  $$ select * from pgthreads.append_thread('alice', 'k', test.messages(1, 2)) $$,
  $$ values ('k', 2, 2) $$, 'two messages make a new thread'
);
select results_eq(
  $$ select * from pgthreads.append_thread('alice', 'k', test.messages(3, 5), 2) $$,
  $$ values ('k', 5, 3) $$, 'three more follow them'
);
select results_eq(
  $$ select seq, message ->> 'id' from pgthreads.read_messages('alice', 'k') $$,
  $$ values (1, 'm1'), (2, 'm2'), (3, 'm3'), (4, 'm4'), (5, 'm5') $$,
  'in their order, without gaps'
);
select results_eq(
  $$ select * from pgthreads.append_thread('alice', 'e', '[]') $$,
  $$ values ('e', 0, 0) $$, 'no message makes an empty thread'
);
select matches(
  (select state_key from pgthreads.append_thread('alice', null, test.messages(1, 1))),
  '^[A-Za-z0-9_-]{21}$', 'a null key becomes a nanoid'
);
select is(
  (select count(distinct a.state_key)
    from generate_series(1, 20) as i, pgthreads.append_thread('alice', null, '[]') as a
    where i > 0),
  1::bigint, 'a call with nothing of the outer row is made once'
);
select is(
  (select state_key
    from pgthreads.append_thread('alice', repeat('k', 128), test.messages(1, 1))),
  repeat('k', 128), 'a key of 128 characters'
);

-- Bytes: keys in jsonb's order, numbers as jsonb has them, duplicates gone.
select pgthreads.append_thread('alice', 'bytes', jsonb_build_array(
  '{"parts": [{"text": "é\u0001\"\\ \u00e9 😀", "type": "text"}], "role": "user", "id": "i",
    "metadata": {"b": 1.50, "a": 1e3, "a": 2}}'::jsonb)) \gset
select is(
  (select message::text from pgthreads.read_messages('alice', 'bytes')),
  '{"id": "i", "role": "user", "parts": [{"text": "é\u0001\"\\ é 😀", "type": "text"}], '
  || '"metadata": {"a": 2, "b": 1.50}}',
  'a message is kept as the text of its jsonb'
);

-- The digest of a message is over the one before and its own stored bytes.
reset role;
select is_empty(
  $$
    with recursive chain as (
      select 1 as seq, sha256(convert_to(m.message::text, 'UTF8')) as digest
      from pgthreads.message as m
      where m.owner_user_id = 'alice' and m.state_key = 'k' and m.seq = 1
      union all
      select m.seq, sha256(c.digest || convert_to(m.message::text, 'UTF8'))
      from chain as c
      join pgthreads.message as m
        on m.owner_user_id = 'alice' and m.state_key = 'k' and m.seq = c.seq + 1
    )
    select m.seq
    from pgthreads.message as m
    left join chain as c using (seq)
    where m.owner_user_id = 'alice' and m.state_key = 'k' and m.digest is distinct from c.digest
  $$,
  'each digest chains to the one before'
);
select is(
  (select t.head_digest from pgthreads.thread as t where t.state_key = 'k'),
  (select m.digest from pgthreads.message as m where m.state_key = 'k' and m.seq = 5),
  'the thread has the digest of its last message'
);
select is(
  (select t.head_digest from pgthreads.thread as t where t.state_key = 'e'), '\x',
  'an empty thread has an empty digest'
);
select is_empty(
  $$
    select t.state_key
    from pgthreads.thread as t
    left join pgthreads.message as m using (owner_user_id, state_key)
    group by t.owner_user_id, t.state_key
    having count(m.seq) <> t.message_count or coalesce(max(m.seq), 0) <> t.message_count
  $$,
  'message_count is the number of messages and the last seq'
);
select ok(
  (select bool_and(t.updated_at > t.created_at) from pgthreads.thread as t where t.state_key = 'k'),
  'an append moves updated_at'
);
set local role tap_server;

-- Titles.
select pgthreads.append_thread('alice', 't' || v.place, v.messages)
from (values
  (1, jsonb_build_array(test.message('a', E'  two\n\n words '))),
  (2, jsonb_build_array(test.message('a', repeat('é', 200)))),
  (3, jsonb_build_array(test.message('a', 'you are', 'system'), test.message('b', 'first'))),
  (4, jsonb_build_array(test.message('a', '   '))),
  (5, jsonb_build_array(test.message('a', 'my key is sk-' || repeat('a', 40)))),
  (6, jsonb_build_array(
    '{"id": "a", "role": "user",
      "parts": [{"type": "file", "mediaType": "text/plain", "url": "data:,x"},
        {"type": "text", "text": "after a file"}]}'::jsonb)),
  (7, jsonb_build_array(test.message('a', 'you are', 'system')))
) as v (place, messages)
order by v.place \g /dev/null
select is(
  (select title from pgthreads.read_thread('alice', 't' || v.place)), v.title, v.what
)
from (values
  (1, 'two words', 'the title is the user''s text on one line'),
  (2, repeat('é', 80), 'of at most 80 characters'),
  (3, 'first', 'a system message gives none'),
  (4, null, 'white space gives none'),
  (5, 'my key is [REDACTED:provider_api_key]', 'a secret is redacted in it, too'),
  (6, 'after a file', 'the first text part counts'),
  (7, null, 'no user message, no title')
) as v (place, title, what)
order by v.place;
select pgthreads.append_thread('alice', 't7', jsonb_build_array(test.message('b', 'then a user')))
  \g /dev/null
select is(
  (select title from pgthreads.read_thread('alice', 't7')), 'then a user',
  'the first user message gives a title also when it comes later'
);
select pgthreads.append_thread('alice', 't7', jsonb_build_array(test.message('c', 'another')))
  \g /dev/null
select is(
  (select title from pgthreads.read_thread('alice', 't7')), 'then a user', 'no later one changes it'
);
select pgthreads.update_thread('alice', 't7', '') \g /dev/null
select pgthreads.append_thread('alice', 't7', jsonb_build_array(test.message('d', 'one more')))
  \g /dev/null
select is(
  (select title from pgthreads.read_thread('alice', 't7')), null, 'a title taken away stays away'
);

-- Metadata of the thread.
select pgthreads.append_thread('alice', 'm', '[]',
  p_metadata => '{"a": 1, "b": {"c": 1}}') \g /dev/null
select pgthreads.append_thread('alice', 'm', test.messages(1, 1),
  p_metadata => format('{"b": {"d": "sk-%s"}}', repeat('a', 40))::jsonb) \g /dev/null
select is(
  (select metadata from pgthreads.read_thread('alice', 'm')),
  '{"a": 1, "b": {"d": "[REDACTED:provider_api_key]"}}', 'metadata is merged key by key, redacted'
);
select pgthreads.append_thread('alice', 'm', test.messages(1, 1),
  p_metadata => '{"a": 2}') \g /dev/null
select is(
  (select metadata ->> 'a' from pgthreads.read_thread('alice', 'm')), '1',
  'a repetition changes no metadata'
);
create temp table before on commit drop as
select r.title, r.message_count, r.digest from pgthreads.read_thread('alice', 'm') as r;
select pgthreads.append_thread('alice', 'm', '[]', p_metadata => '{"a": 3}') \g /dev/null
select results_eq(
  $$
    select r.metadata ->> 'a', r.title, r.message_count, r.digest
    from pgthreads.read_thread('alice', 'm') as r
  $$,
  $$ select '3', b.title, b.message_count, b.digest from before as b $$,
  'without messages the metadata changes and nothing else'
);
select is(
  (select message_count from pgthreads.append_thread(
    'alice', 'deep', jsonb_build_array(jsonb_build_object(
      'id', 'd', 'role', 'assistant', 'parts', jsonb_build_array(jsonb_build_object(
        'type', 'tool-x', 'toolCallId', 'c', 'state', 'input-available', 'input',
        (repeat('{"a":[', 28) || '"sk-' || repeat('a', 40) || '"' || repeat(']}', 28))::jsonb)))))),
  1, 'a message of 60 levels is taken'
);
select is(
  (select message ->> 'id' || (message::text like '%[REDACTED:provider_api_key]%')::text
    from pgthreads.read_messages('alice', 'deep')),
  'dtrue', 'redacted at its bottom, and read again'
);

select * from finish();
rollback;
