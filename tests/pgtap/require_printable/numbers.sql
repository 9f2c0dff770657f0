-- A value that would be many times longer as text is refused before it is printed.
begin;
select plan(6);
\ir ../helpers.psql

set local role tap_server;
select throws_ok(
  format('select pgthreads.redact_message(%L)', v.message), 'THMAX',
    'the value is too long as text',
  format('redact_message: %s times %s', v.times, v.number))
from (
  select format('{"id": "m", "role": "user", "parts": [], "metadata": {"n": [%s1]}}',
    repeat(n.number || ',', n.times)) as message, n.number, n.times
  from (values ('1e300', 100000), ('1e131000', 1)) as n (number, times)
) as v;
select throws_ok(
  format('select pgthreads.redact_json(%L)', '[' || repeat('1e300,', 100000) || '1]'), 'THMAX',
  'the value is too long as text', 'redact_json');
select lives_ok(
  format('select pgthreads.redact_json(%L)', v.value), v.name)
from (values
  ('few such numbers', '[' || repeat('1e300,', 1000) || '1]'),
  ('a long text', to_jsonb(repeat('4111 1111 ', 200000))::text),
  ('many small numbers', '[' || repeat('1,', 200000) || '1]')
) as v (name, value);

select * from finish();
rollback;
