-- At most sixty levels, of which the value itself is the first, whatever they consist of. This
-- holds for everything that is stored.
begin;
select plan(16);
\ir ../helpers.psql

-- A value with so many levels.
create function test.deep(p_levels int, p_open text, p_close text, p_inside text)
returns jsonb
language sql
immutable
return (repeat(p_open, p_levels - 1) || p_inside || repeat(p_close, p_levels - 1))::jsonb;

select is(
  array[pgthreads.is_shallow(test.deep(60, v.o, v.c, v.i)),
    pgthreads.is_shallow(test.deep(61, v.o, v.c, v.i))],
  array[true, false], format('60 levels of %s around %s, and not 61', v.o, v.i)
)
from (values
  ('[', ']', '1'), ('[', ']', '[]'), ('{"a":', '}', 'null'), ('[0, ', ']', '{}'),
  ('[[], ', ', "b"]', '"s"')
) as v (o, c, i);
select ok(
  not pgthreads.is_shallow(test.deep(5000, '[', ']', '1')),
    'of 5,000 levels it reads no more than 61');
select is(pgthreads.is_shallow(null), null, 'null is null');

select pgthreads.set_tenant('alice') \gset
select lives_ok(
  $$ select pgthreads.append_thread('alice', 'k', jsonb_build_array(
    test.message('m') || jsonb_build_object('metadata', test.deep(59, '[', ']', '1')))) $$,
  'a message of 60 levels is stored'
);
select test.refuses(s.sql, 'THMAX', '%60 levels%', '%60 levels%', s.what)
from (values
  ('a message', $$ select pgthreads.append_thread('alice', 'k', jsonb_build_array(
    test.message('n') || jsonb_build_object('metadata', test.deep(60, '[', ']', '1')))) $$),
  ('a tool''s output', $$ select pgthreads.append_thread('alice', 'k', jsonb_build_array(
    jsonb_build_object('id', 'o', 'role', 'assistant', 'parts',
      jsonb_build_array(jsonb_build_object(
      'type', 'tool-x', 'toolCallId', 'c', 'state', 'output-available',
      'output', test.deep(58, '{"a":', '}', '1')))))) $$),
  ('a whole thread', $$ select pgthreads.save_thread('alice', 'l', jsonb_build_array(
    test.message('n') || jsonb_build_object('metadata', test.deep(60, '[', ']', '1')))) $$),
  ('a user''s message', $$ select pgthreads.begin_turn('alice', 'l',
    test.message('n') || jsonb_build_object('metadata', test.deep(60, '[', ']', '1')), 't') $$),
  ('metadata with an append', $$ select pgthreads.append_thread('alice', 'k', '[]',
    p_metadata => test.deep(61, '{"a":', '}', '1')) $$),
  ('metadata', $$ select pgthreads.update_thread('alice', 'k',
    p_metadata => test.deep(61, '{"a":', '}', '1')) $$),
  ('usage', $$ select pgthreads.finish_turn('alice', 'k', 't', 'completed',
    test.deep(61, '[', ']', '1')) $$)
) as s (what, sql);
select is(
  pgthreads.ui_message_fault(
    test.message('n') || jsonb_build_object('metadata', test.deep(60, '[', ']', '1'))),
  'It is nested deeper than 60 levels.', 'ui_message_fault says it'
);

select * from finish();
rollback;
