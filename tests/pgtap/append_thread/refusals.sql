-- Every refusal has its SQLSTATE, the facts and a hint; none changes anything.
begin;
select plan(45);
\ir ../helpers.psql

set local role tap_server;
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', test.messages(1, 1)) $$,
  'THTEN', '%app.current_user_id is empty%', '%set_tenant%', 'no tenant'
);
select pgthreads.set_tenant('alice') \gset
select test.refuses(
  $$ select pgthreads.append_thread('bob', 'k', test.messages(1, 1)) $$,
  'THTEN', '%differs%', '%set_tenant%', 'another tenant'
);
select test.refuses(
  $$ select pgthreads.append_thread(null, 'k', test.messages(1, 1)) $$,
  'THTEN', '%differs%', null, 'a null owner'
);
select test.refuses(
  format('select pgthreads.append_thread(%L, %L, test.messages(1, 1))', 'alice', v.key),
  'THKEY', 'The key is %', '%1 to 128%', 'bad key: ' || v.what
)
from (values
  (1, 'empty', ''), (2, 'a space', 'a b'), (3, 'a newline at its end', E'k\n'),
  (4, '129 characters', repeat('k', 129)), (5, 'a letter with an accent', 'é'), (6, 'a dot', 'a.b'),
  (7, 'a slash', '../k'), (8, 'a quote', 'k'''), (9, 'a newline in the middle', E'a\nb')
) as v (place, what, key)
order by v.place;

select test.refuses(
  format('select pgthreads.append_thread(%L, %L, %L)', 'alice', 'k', v.messages),
  'THMSG', v.detail, null, v.what
)
from (values
  (1, 'an object', '{}', 'p_messages is object.'),
  (2, 'a message without its array', test.message('m')::text, 'p_messages is object.'),
  (3, 'JSON null', 'null', 'p_messages is null.'),
  (4, 'a string', '"a"', 'p_messages is string.'),
  (5, 'an array of null', '[null]', 'messages[0]: A UIMessage is an object.'),
  (6, 'a bad one after a good one', (test.messages(1, 1) || '{}')::text, 'messages[1]: id %'),
  (7, 'an array in an array', jsonb_build_array(test.messages(1, 1))::text,
    'messages[0]: A UIMessage%'),
  (8, 'a bad part', '[{"id": "m", "role": "user", "parts": [{"type": "text"}]}]',
    'messages[0]: parts[0], of type "text", %')
) as v (place, what, messages, detail)
order by v.place;
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', null) $$,
  'THMSG', 'p_messages is null.', '%array%', 'null'
);
select test.refuses(
  format(
    'select pgthreads.append_thread(%L, %L, test.messages(1, 1), p_metadata => %L)', 'alice', 'k',
    v.metadata),
  v.state, v.detail, null, v.what
)
from (values
  (1, 'metadata as an array', '[]', 'THMSG', '%of type array%'),
  (2, 'metadata as JSON null', 'null', 'THMSG', '%of type null%'),
  (3, 'metadata of 65 KiB', jsonb_build_object('a', repeat('a', 66560))::text, 'THMAX', '%65536%')
) as v (place, what, metadata, state, detail)
order by v.place;
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', test.messages(1, 1), p_turn_id => 't') $$,
  'THLST', 'Turn t of thread k does not run.', null, 'a turn of a thread that is not there'
);
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', test.messages(1, 1), 1) $$,
  'THCNT', 'Thread k has 0 messages, but the caller expected 1.', null,
    'a count of a thread that is not there'
);
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', test.messages(1, 1), -1) $$,
  'THCNT', 'Thread k has 0 messages, but the caller expected -1.', null, 'a negative count'
);

-- A thread that exists.
select pgthreads.append_thread('alice', 'k', test.messages(1, 3), 0) \g /dev/null
select test.refuses(
  format('select pgthreads.append_thread(%L, %L, test.messages(4, 4), %s)', 'alice', 'k', v.count),
  'THCNT', format('Thread k has 3 messages, but the caller expected %s.', v.count),
  '%Load the thread%',
  'count ' || v.count
)
from (values (0), (2), (4), (2147483647), (-2147483648)) as v (count);
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', jsonb_build_array(test.message('m2',
    'other'))) $$,
  'THDUP', '%a different message ''m2''%', '%new id%', 'a known id with other content'
);
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k',
    test.messages(4, 4) || jsonb_build_array(test.message('m2', 'text 2', 'assistant'))) $$,
  'THDUP', '%a different message ''m2''%', null, 'also behind a new one'
);
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k',
    jsonb_build_array(test.message('x', 'one'), test.message('x', 'two'))) $$,
  'THDUP', 'messages[1] has the id ''x''%', '%id of its own%', 'an id twice in one call'
);
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', jsonb_build_array(
    test.message('x', 'one'), test.message('x', 'two'), '{"id": "y"}'::jsonb)) $$,
  'THMSG', 'messages[2]%', null, 'only messages that could be stored are compared'
);
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', test.messages(4, 4), p_turn_id => 't') $$,
  'THLST', 'Turn t of thread k does not run.', '%extend_turn%', 'a turn that is none'
);

-- Limits are rows of config.
reset role;
update pgthreads.config set max_messages = 4, max_message_bytes = 200;
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', test.messages(4, 5)) $$,
  'THMAX', 'Thread k has 3 messages; the limit is 4.', '%new thread%', 'one message too many'
);
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'n', test.messages(1, 5)) $$,
  'THMAX', 'p_messages has 5 messages; %is 4.', '%new thread%',
    'more than a thread holds, in one call'
);
select lives_ok(
  $$ select pgthreads.append_thread('alice', 'k', test.messages(4, 4)) $$, 'the last that has room'
);
select lives_ok(
  format('select pgthreads.append_thread(%L, %L, %L)', 'alice', 'b',
    jsonb_build_array(test.message('m', repeat('a', 200 - octet_length(test.message('m',
      '')::text))))),
  'a message of exactly the limit of bytes'
);
select test.refuses(
  format('select pgthreads.append_thread(%L, %L, %L)', 'alice', 'c',
    jsonb_build_array(test.message('m', repeat('é', 100)))),
  'THMAX', 'messages[0] has % bytes; the limit is 200.', '%URL%',
    'bytes are counted, not characters'
);

-- A thread that is deleted.
select pgthreads.soft_delete_thread('alice', 'k') \g /dev/null
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', test.messages(5, 5)) $$,
  'THDEL', 'Thread k was deleted at %', '%new thread%', 'a deleted thread'
);
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', test.messages(1, 1)) $$,
  'THDEL', 'Thread k was deleted at %', null, 'also for a message that it holds'
);
select throws_ok(
  $$ select pgthreads.append_thread('alice', 'd', ('[' || repeat('[', 20000) || repeat(']',
    20001))::jsonb) $$,
  '54001', null, 'a value nested 20,000 deep is refused, and the server lives'
);

select * from finish();
rollback;
