-- Text parts and nothing else, cut where PostgreSQL would take too long or refuse.
begin;
select plan(9);
\ir ../helpers.psql

create function test.text_of(variadic p_texts text[])
returns text
language sql
as $$
  select pgthreads.message_text(json_build_object('parts', (
    select json_agg(json_build_object('type', 'text', 'text', t.text) order by t.place)
    from unnest(p_texts) with ordinality as t (text, place)
  )))
$$;

select is(test.text_of('one'), 'one', 'a text part');
select is(test.text_of('one', 'two'), E'one\ntwo', 'two of them, in their order');
select is(
  pgthreads.message_text('{"parts": [
    {"type": "reasoning", "text": "thought"}, {"type": "text", "text": "said"},
    {"type": "dynamic-tool", "toolName": "f", "toolCallId": "c", "state": "output-available",
      "input": {"text": "asked"}, "output": "told"}, {"type": "file", "filename": "name"}
  ]}'), 'said', 'no reasoning, no tool, no file'
);
select is(pgthreads.message_text('{"parts": []}'), null, 'null without a text part');
select is(
  char_length(test.text_of(repeat('word ', 20000))), 65536, 'its first 65,536 characters'
);
select is(
  test.text_of(repeat('a_', 200) || ' ' || repeat('b_', 120)),
  repeat('a_', 200) || ' ' || repeat('b_', 120), 'words of up to 500 bytes stay whole'
);
select is(
  test.text_of('x ' || repeat('a_', 300) || ' y'),
  'x ' || repeat('a_', 100) || ' ' || repeat('a_', 100) || ' ' || repeat('a_', 100) || ' y',
  'a longer one with underscores comes in pieces'
);
select is(
  test.text_of(repeat('a', 1000)), repeat('a', 1000), 'a long word without underscores does not'
);
select cmp_ok(
  length(to_tsvector('english', test.text_of(repeat('a_', 32768)))), '<', 1000,
  'the parser takes the longest text that there can be'
);

select * from finish();
rollback;
