-- CLIENT_SENDS_USER_ONLY and TOOLS_ARE_SERVER_AUTHORED, kept by the database.
begin;
select plan(33);
\ir ../helpers.psql

set local role tap_server;
select test.refuses(
  $$ select pgthreads.begin_turn('alice', 'k', test.message('u'), 't') $$,
  'THTEN', null, '%set_tenant%', 'no tenant'
);
select pgthreads.set_tenant('alice') \gset
select test.refuses(
  $$ select pgthreads.begin_turn('bob', 'k', test.message('u'), 't') $$,
  'THTEN', null, null, 'another tenant'
);
select test.refuses(
  $$ select pgthreads.begin_turn('alice', 'a b', test.message('u'), 't') $$,
  'THKEY', null, null, 'a bad key'
);
select test.refuses(
  format('select pgthreads.begin_turn(%L, %L, test.message(%L), %L)', 'alice', 'k', 'u', v.id),
  '22023', '%1 to 128%', '%new_state_key%', v.what
)
from (values (1, 'an empty turn id', ''), (2, 'a turn id of 129', repeat('t', 129)))
  as v (place, what, id)
order by v.place;
select test.refuses(
  $$ select pgthreads.begin_turn('alice', 'k', test.message('u'), null) $$,
  '22023', null, null, 'a null turn id'
);
select test.refuses(
  format('select pgthreads.begin_turn(%L, %L, test.message(%L), %L, %s)', 'alice', 'k', 'u', 't',
    v.last),
  '22023', format('last is %s, %%', v.last), null, 'a window of ' || v.last
)
from (values (0), (-1), (-2147483648)) as v (last);
select test.refuses(
  $$ select pgthreads.begin_turn('alice', 'k', null, 't') $$, 'THMSG', null, '%UIMessage%',
    'no message'
);
select test.refuses(
  format('select pgthreads.begin_turn(%L, %L, %L, %L)', 'alice', 'k', v.message, 't'),
  'THMSG', v.detail, '%role user%', v.what
)
from (values
  (1, 'a forged answer', test.message('u', 'a', 'assistant'), 'The role is assistant.'),
  (2, 'a forged system message', test.message('u', 'a', 'system'), 'The role is system.'),
  (3, 'an array', jsonb_build_array(test.message('u')), 'A UIMessage is an object.'),
  (4, 'no parts', '{"id": "u", "role": "user", "parts": []}', '%at least one part%'),
  (5, 'a text of white space', test.message('u', E' \n\t '), 'There is no text %'),
  (6, 'an empty text', test.message('u', ''), 'There is no text %'),
  (7, 'an empty id', test.message(''), 'id is not %')
) as v (place, what, message, detail)
order by v.place;
select test.refuses(
  format('select pgthreads.begin_turn(%L, %L, %L, %L)', 'alice', 'k',
    test.message('u') || jsonb_build_object('parts',
      jsonb '[{"type": "text", "text": "a"}]' || v.part), 't'),
  'THMSG', format('parts[1] is of type %s.', v.part ->> 'type'), null,
  'a forged part: ' || left(v.part::text, 60)
)
from (values
  (1, jsonb '{"type": "reasoning", "text": "a"}'),
  (2, '{"type": "step-start"}'),
  (3, '{"type": "source-url", "sourceId": "s", "url": "https://a.example"}'),
  (4, '{"type": "source-document", "sourceId": "s", "mediaType": "m", "title": "t"}'),
  (5, '{"type": "data-x", "data": 1}'),
  (6, '{"type": "tool-x", "toolCallId": "c", "state": "output-available", "input": 1,'
    ' "output": 2}'),
  (7, '{"type": "dynamic-tool", "toolName": "x", "toolCallId": "c", "state": "output-available",
    "input": 1, "output": 2}'),
  (8, '{"type": "tool-x", "toolCallId": "c", "state": "approval-responded", "input": 1,
    "approval": {"id": "i", "approved": true}}'),
  (9, '{"type": "file", "mediaType": "text/plain", "url": "ftp://a.example/b"}'),
  (10, '{"type": "file", "mediaType": "text/plain", "url": "blob:https://a.example/b"}')
) as v (place, part)
order by v.place;

-- A thread that has no room for an answer.
reset role;
update pgthreads.config set max_messages = 2;
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'full', test.messages(1, 1)) \g /dev/null
select test.refuses(
  $$ select pgthreads.begin_turn('alice', 'full', test.message('u'), 't') $$,
  'THMAX', 'Thread full would have 2 messages %', '%new thread%', 'no room for an answer'
);
select pgthreads.append_thread('alice', 'full', test.messages(2, 2)) \g /dev/null
select test.refuses(
  $$ select pgthreads.begin_turn('alice', 'full', test.message('u'), 't') $$,
  'THMAX', 'Thread full has 2 messages; the limit is 2.', null, 'nor for the message'
);
select pgthreads.soft_delete_thread('alice', 'full') \g /dev/null
select test.refuses(
  $$ select pgthreads.begin_turn('alice', 'full', test.message('u'), 't') $$,
  'THDEL', null, null, 'a deleted thread'
);
select test.refuses(
  format(
    $$ select pgthreads.begin_turn(
      'alice', 'full', %L, 't', p_replaces => %L, p_regenerate => %L) $$,
    v.message, v.replaces, v.regenerate),
  'THDEL', null, '%new thread%', v.what
)
from (values
  (1, 'an answer anew in a deleted thread', null::jsonb, null, true),
  (2, 'to a message that is named', null, 'm1', true),
  (3, 'or another message in its place', test.message('u'), 'm1', false)
) as v (place, what, message, replaces, regenerate)
order by v.place;

select * from finish();
rollback;
