-- The message around its parts.
begin;
select no_plan();
\ir ../helpers.psql

set local role tap_server;
select is(pgthreads.is_ui_message(m.value::jsonb), m.wanted, m.what)
from (values
  (1, 'null', null, false),
  (2, 'JSON null', 'null', false),
  (3, 'a string', '"a"', false),
  (4, 'an array of a message', '[{"id": "i", "role": "user", "parts": [{"type": "text",'
    ' "text": "a"}]}]',
    false),
  (5, 'an empty object', '{}', false),
  (6, 'a user message', '{"id": "i", "role": "user", "parts": [{"type": "text", "text": "a"}]}',
    true),
  (7, 'a system message', '{"id": "i", "role": "system", "parts": [{"type": "text", "text": ""}]}',
    true),
  (8, 'an assistant message without parts', '{"id": "i", "role": "assistant", "parts": []}', true),
  (9, 'a user message without parts', '{"id": "i", "role": "user", "parts": []}', false),
  (10, 'a system message without parts', '{"id": "i", "role": "system", "parts": []}', false),
  (11, 'metadata of any kind', '{"id": "i", "role": "assistant", "parts": [], "metadata": [null]}',
    true),
  (12, 'more keys', '{"id": "i", "role": "assistant", "parts": [], "createdAt": 1}', true),
  (13, 'no id', '{"role": "assistant", "parts": []}', false),
  (14, 'an empty id', '{"id": "", "role": "assistant", "parts": []}', false),
  (15, 'a number as id', '{"id": 1, "role": "assistant", "parts": []}', false),
  (16, 'an array as id', '{"id": ["i"], "role": "assistant", "parts": []}', false),
  (17, 'null as id', '{"id": null, "role": "assistant", "parts": []}', false),
  (18, 'no role', '{"id": "i", "parts": []}', false),
  (19, 'null as role', '{"id": "i", "role": null, "parts": []}', false),
  (20, 'an array as role', '{"id": "i", "role": ["user"], "parts": []}', false),
  (21, 'role tool', '{"id": "i", "role": "tool", "parts": []}', false),
  (22, 'role data', '{"id": "i", "role": "data", "parts": []}', false),
  (23, 'a role with a capital', '{"id": "i", "role": "Assistant", "parts": []}', false),
  (24, 'no parts', '{"id": "i", "role": "assistant"}', false),
  (25, 'null as parts', '{"id": "i", "role": "assistant", "parts": null}', false),
  (26, 'a string as parts', '{"id": "i", "role": "assistant", "parts": "a"}', false),
  (27, 'a part as parts', '{"id": "i", "role": "assistant", "parts": {"type": "text",'
    ' "text": "a"}}', false),
  (28, 'an empty object as parts', '{"id": "i", "role": "assistant", "parts": {}}', false),
  (29, 'null as a part', '{"id": "i", "role": "assistant", "parts": [null]}', false),
  (30, 'a string as a part', '{"id": "i", "role": "assistant", "parts": ["text"]}', false),
  (31, 'an array as a part', '{"id": "i", "role": "assistant",'
    ' "parts": [[{"type": "step-start"}]]}', false),
  (32, 'a part without a type', '{"id": "i", "role": "assistant", "parts": [{"text": "a"}]}',
    false),
  (33, 'a bad part after a good one',
    '{"id": "i", "role": "assistant", "parts": [{"type": "step-start"}, {"type": "text"}]}', false),
  (34, 'a bad part before a good one',
    '{"id": "i", "role": "assistant", "parts": [{"type": "text"}, {"type": "step-start"}]}', false),
  (35, 'an id of 256 characters',
    format('{"id": "%s", "role": "assistant", "parts": []}', repeat('é', 256)), true),
  (36, 'an id of 257',
    format('{"id": "%s", "role": "assistant", "parts": []}', repeat('é', 257)), false)
) as m (place, what, value, wanted)
order by m.place;

select is(pgthreads.ui_message_fault(null), 'A UIMessage is an object.', 'the fault of null');
select is(
  pgthreads.ui_message_fault('{"id": "i", "role": "user", "parts": []}'),
  'A message of role user has at least one part.', 'the fault of a message without parts'
);
select is(
  pgthreads.ui_message_fault('{"id": "i", "role": "user", "parts": [{"type": "step-start"},'
    ' {"type": "text"}]}'),
  'parts[1], of type "text", is not a valid part.', 'the fault names the part'
);
select is(
  pgthreads.ui_message_fault('{"id": "i", "role": "user", "parts": [{}]}'),
  'parts[0], of type nothing, is not a valid part.', 'also one without a type'
);

select * from finish();
rollback;
