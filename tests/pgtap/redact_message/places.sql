-- Where a secret may be in a message, and what stays as it is.
begin;
select no_plan();
\ir ../helpers.psql

create function test.secret() returns text language sql immutable
return 'sk-' || repeat('aB3x', 10);
create function test.tool(p_value jsonb) returns jsonb language sql immutable
return jsonb_build_object('id', 'i', 'role', 'assistant', 'parts', jsonb_build_array(
  jsonb_build_object('type', 'tool-x', 'toolCallId', 'c', 'state', 'output-available', 'input',
    p_value,
    'output', jsonb_build_array(jsonb_build_array(jsonb_build_object('r', p_value))))));

set local role tap_server;
select is(
  pgthreads.redact_message(jsonb_set(m.body, m.path, to_jsonb(m.text))),
  jsonb_set(m.body, m.path, to_jsonb(replace(m.text, test.secret(),
    '[REDACTED:provider_api_key]'))),
  m.what
)
from (values
  (1, 'a text', test.message('i'), '{parts,0,text}'::text[], test.secret()),
  (2, 'right after a newline', test.message('i'), '{parts,0,text}', E'key:\n' || test.secret()),
  (3, 'right after a quote', test.message('i'), '{parts,0,text}', 'key: "' || test.secret() || '"'),
  (4, 'right after a backslash', test.message('i'), '{parts,0,text}', '\' || test.secret()),
  (5, 'right after a control character', test.message('i'), '{parts,0,text}', E'\x01'
    || test.secret()),
  (6, 'JSON in a string', test.message('i'), '{parts,0,text}',
    jsonb_build_object('k', E'a\n' || test.secret())::text),
  (7, 'JSON in JSON in a string', test.message('i'), '{parts,0,text}',
    to_jsonb(jsonb_build_object('k', test.secret())::text)::text),
  (8, 'behind 1 MB of text', test.message('i'), '{parts,0,text}',
    repeat('lorem "ipsum" ', 75000) || test.secret()),
  (9, 'message metadata', test.message('i') || '{"metadata": {"a": [{"b": 1}]}}',
    '{metadata,a,0,b}', test.secret()),
  (10, 'another key of the message', test.message('i'), '{more}', test.secret()),
  (11, 'tool input', test.tool('{"a": {"b": [1, 2]}}'), '{parts,0,input,a,b,1}', test.secret()),
  (12, 'tool output', test.tool('{"a": {"b": [1, 2]}}'), '{parts,0,output,0,0,r,a,b,0}',
    test.secret()),
  (13, 'a key named like a kept one, inside of an input', test.tool('{"id": 1, "type": 2}'),
    '{parts,0,input,id}', test.secret()),
  (14, 'an empty key', test.tool('{"": 1}'), '{parts,0,input,""}', test.secret()),
  (15, 'provider metadata', test.message('i'), '{parts,0,providerMetadata}', test.secret()),
  (16, 'a file name', '{"id": "i", "role": "user",
    "parts": [{"type": "file", "mediaType": "a/b", "url": "https://a.example/"}]}',
    '{parts,0,filename}', test.secret()),
  (17, 'a URL', '{"id": "i", "role": "user", "parts": [{"type": "file", "mediaType": "a/b"}]}',
    '{parts,0,url}', 'https://a.example/?key=' || test.secret()),
  (18, 'an error text', '{"id": "i", "role": "assistant", "parts": [{"type": "tool-x"}]}',
    '{parts,0,errorText}', test.secret()),
  (19, 'data', '{"id": "i", "role": "assistant", "parts": [{"type": "data-x", "data": {}}]}',
    '{parts,0,data,a}', test.secret()),
  (20, 'reasoning', '{"id": "i", "role": "assistant", "parts": [{"type": "reasoning"}]}',
    '{parts,0,text}', test.secret()),
  (21, 'the reason of an approval', '{"id": "i", "role": "assistant", "parts": [{"type": "tool-x",
    "approval": {"id": "a"}}]}', '{parts,0,approval,reason}', test.secret())
) as m (place, what, body, path, text)
order by m.place;

-- Ids, types and states are never changed, even if there is something to redact.
select is(
  pgthreads.redact_message(jsonb_set(m.body, m.path, to_jsonb(test.secret()))
    || jsonb_build_object('metadata', test.secret())),
  jsonb_set(m.body, m.path, to_jsonb(test.secret()))
    || '{"metadata": "[REDACTED:provider_api_key]"}',
  format('%s stays', m.path)
)
from (values
  (test.message('i'), '{id}'::text[]), (test.message('i'), '{parts,0,type}'),
  (test.message('i'), '{parts,0,state}'), (test.message('i'), '{parts,0,id}'),
  (test.tool('1'), '{parts,0,toolCallId}'), (test.tool('1'), '{parts,0,toolName}'),
  (test.message('i'), '{parts,0,mediaType}'), (test.message('i'), '{parts,0,sourceId}'),
  ('{"id": "i", "role": "assistant", "parts": [{"type": "tool-x", "approval": {}}]}',
    '{parts,0,approval,id}')
) as m (body, path);
select is(
  pgthreads.redact_message(m.body) -> 'parts' -> 0 ->> 'url', m.body -> 'parts' -> 0 ->> 'url',
  'the body of a data URL stays'
)
from (values
  (jsonb_build_object('id', 'i', 'role', 'user', 'parts', jsonb_build_array(jsonb_build_object(
    'type', 'file', 'mediaType', 'a/b', 'url', 'data:text/plain,' || test.secret())))),
  (jsonb_build_object('id', 'i', 'role', 'user', 'parts', jsonb_build_array(jsonb_build_object(
    'type', 'file', 'mediaType', 'a/b', 'url', 'DATA:text/plain,' || test.secret()))))
) as m (body);
select is(
  pgthreads.redact_message(m.body || jsonb_build_object('more', test.secret())),
  m.body || '{"more": "[REDACTED:provider_api_key]"}',
  m.what
)
from (values
  ('a part of a data URL alone', '{"id": "i", "parts": [{"url": "data:a/b,c"}]}'::jsonb),
  ('an empty part', '{"id": "i", "parts": [{}]}'),
  ('parts that are no objects', '{"id": "i", "parts": ["id", 1, null, [{"id": 1}]]}'),
  ('no id and no role', '{"parts": []}'),
  ('approvals that are no objects', '{"id": "i", "role": "assistant", "parts": [
    {"type": "tool-x", "approval": "id"}, {"type": "tool-x", "approval": ["id"]}]}'),
  ('members that are null', '{"id": null, "role": null, "parts": [
    {"type": null, "state": null, "approval": {"id": null, "reason": "a"}}]}')
) as m (what, body);
select is(
  pgthreads.redact_message(test.tool(jsonb_build_object(test.secret(), 1))),
  test.tool(jsonb_build_object(test.secret(), 1)), 'the key of an object stays'
);

-- A clean message keeps every byte, whether the screen matches or not.
select is(
  pgthreads.redact_message(m.body)::text, m.body::text, 'clean: ' || left(m.body::text, 60)
)
from (values
  (test.tool('[1.50, 1e2, -0.0, null, true, {"b": 1, "aa": 2, "": 3}, "\u0001\"\\\b\u2028é😀"]')),
  (test.tool('[1.50, 1e2, -0.0, null, true, {"b": 1, "aa": 2, "": 3}, "\u0001\"\\\b\u2028é😀",
    "the bearer of news", "sk-short", "a \"bearer\": {}"]')),
  (test.message('sk-' || repeat('a', 40))), (test.message('i', ''))
) as m (body);
select is(pgthreads.redact_message(null), null, 'null stays null');
select is(
  length(pgthreads.redact_message(test.tool(
    (repeat('{"a":[', 2500) || to_jsonb(test.secret()) || repeat(']}', 2500))::jsonb))::text),
  length(test.tool(
    (repeat('{"a":[', 2500) || '"[REDACTED:provider_api_key]"'
      || repeat(']}', 2500))::jsonb)::text),
  'at a depth of 5,000'
);
select is(
  (select count(*) from jsonb_array_elements_text(pgthreads.redact_message(test.tool(
      (select jsonb_agg(test.secret() || i) from generate_series(1, 5000) as i)))
      -> 'parts' -> 0 -> 'input') as s (leaf)
    where s.leaf <> '[REDACTED:provider_api_key]'),
  0::bigint, '5,000 strings, each with a secret'
);

select * from finish();
rollback;
