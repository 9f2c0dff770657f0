-- A large message is judged as a small one is.
begin;
select no_plan();
\ir ../helpers.psql

create function test.long(p_part jsonb) returns jsonb language sql immutable
return jsonb_build_object('id', 'i', 'role', 'assistant', 'parts', (
  select to_jsonb(array_agg(case when n = 1700 then p_part else '{"type": "x"}' end order by n))
  from generate_series(1, 2000) as n));

select is(
  pgthreads.has_long_shape(test.long(p.part)),
  pgthreads.has_message_shape(
    jsonb_build_object('id', 'i', 'role', 'assistant', 'parts', jsonb_build_array(p.part))),
  p.part::text
)
from (values
  ('{"type": "text", "text": "a"}'::jsonb), ('{"type": "text"}'), ('{"type": "text", "text": 1}'),
  ('{"type": "step-start"}'), ('{"type": ""}'), ('{"type": 1}'), ('{"type": null}'), ('{}'),
  ('{"type": ["text"]}'), ('{"type": {"a": "text"}}'), ('"text"'), ('1'), ('null'), ('[]'),
  ('[{"type": "text"}]'), ('{"type": "newer", "text": 1}'), ('{"type": "text2"}'),
  ('{"type": "reasoning", "text": 1}'), ('{"type": "reasoning", "text": "a", "id": 1}'),
  ('{"type": "reasoning-file", "url": 1}'), ('{"type": "file", "url": "a"}'),
  ('{"type": "file", "url": "a", "mediaType": "a/b"}'), ('{"type": "source-url"}'),
  ('{"type": "source-document"}'), ('{"type": "custom"}'), ('{"type": "custom", "kind": "a"}'),
  ('{"type": "steering-message"}'), ('{"type": "data-a", "id": 1}'), ('{"type": "data-a"}'),
  ('{"type": "tool-a"}'), ('{"type": "dynamic-tool"}'), ('{"type": "tool-"}'),
  ('{"type": "tool-a", "toolCallId": "c", "state": "input-available", "input": {}}')
) as p (part);
select is(
  pgthreads.has_long_shape(m.message), pgthreads.has_message_shape(m.message),
  left(m.message::text, 60)
)
from (values
  ('{"id": "i", "role": "user", "parts": []}'::jsonb), ('{"id": "i", "role": "assistant"}'),
  ('{"id": "i", "role": "assistant", "parts": []}'), ('{"id": "", "role": "user"}'),
  ('{"id": "i", "role": "x", "parts": [{"type": "text", "text": ""}]}'),
  ('{"role": "user", "parts": [{"type": "text", "text": ""}]}'),
  ('{"id": "i", "role": "user", "parts": [{"type": "text", "text": ""}]}'),
  ('{"id": "i", "role": "user", "parts": {"type": "text", "text": ""}}'), ('"a"'), ('1'), ('null')
) as m (message);
select ok(
  pgthreads.ui_message_fault(test.long('{"type": "text"}'))
    = 'parts[1699], of type "text", is not a valid part.',
  'the part that is not valid is named'
);
select ok(
  pg_column_size(test.long('{}') || jsonb_build_object('metadata', repeat('a', 40000))) > 32768
    and not pgthreads.has_shape(
      test.long('{}') || jsonb_build_object('metadata', repeat('a', 40000)))
    and pgthreads.has_shape(
      test.long('{"type": "x"}') || jsonb_build_object('metadata', repeat('a', 40000))),
  'has_shape() asks it about large values'
);

select * from finish();
rollback;
