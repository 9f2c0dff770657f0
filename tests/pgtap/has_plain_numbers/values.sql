-- A number of a few bytes that prints as thousands of characters is refused before it is printed.
begin;
select plan(19);
\ir ../helpers.psql

set local role tap_server;
select is(pgthreads.has_plain_numbers(v.value::jsonb), v.wanted, v.value)
from (values
  (1, '{}', true),
  (2, '0', true),
  (3, '[0, -0.0, 1.50, 1e300, -1e300]', true),
  (4, '1.7976931348623157e308', true),
  (5, '1.7976931348623158e308', false),
  (6, '-1e309', false),
  (7, '5e-324', true),
  (8, '2.2250738585072014e-308', true),
  (9, '[[{"a": [1e-401]}]]', false),
  (10, '0e-16000', false),
  (11, '{"a": [0, 0e-401, 0]}', false),
  (12, '{"a": [0, 0e-400, 0]}', true),
  (13, '1e131000', false),
  (14, '{"a": {"b": -1e131000}}', false),
  (15, '{"1e131000": "1e131000"}', true)
) as v (place, value, wanted)
order by v.place;
select is(pgthreads.has_plain_numbers(null), true, 'null has no number');

select pgthreads.set_tenant('alice') \gset
select test.refuses(
  $$
    select pgthreads.append_thread('alice', 'k', jsonb_build_array(
      test.message('m') || ('{"metadata": [' || repeat('1e131000,', 20000) || '1]}')::jsonb))
  $$,
  'THMSG', '%too large or too long for a double%', null,
  'append_thread refuses 20,000 numbers that would take 2.6 GB as text'
);
select test.refuses(
  $$
    select pgthreads.append_thread('alice', 'k', '[]',
      p_metadata => ('{"n": [' || repeat('1e131000,', 2000) || '1]}')::jsonb)
  $$,
  'THMSG', '%too large or too long for a double%', null, 'and so for a thread''s metadata'
);
select is(
  pgthreads.is_ui_message(test.message('m') || '{"metadata": 0e-16000}'), false,
  'a message with such a number is no UIMessage'
);

select * from finish();
rollback;
