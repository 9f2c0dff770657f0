-- It tells whether a value may be printed, without printing it.
begin;
select plan(13);
\ir ../helpers.psql

select is(
  pgthreads.is_short(('[' || repeat(v.number || ',', v.times) || '1]')::jsonb, v.bytes),
  v.wanted, format('%s times %s in %s bytes', v.times, v.number, v.bytes)
)
from (values
  ('1', 10, 1000, true),
  ('1e300', 100, 40000, true),
  ('1e300', 100, 20000, false),
  ('-1e-300', 100, 40000, true),
  ('-1e-300', 100, 20000, false),
  ('0e-300', 100, 40000, true),
  ('0e-300', 100, 20000, false),
  ('0', 10000, 30000, true),
  ('0.0', 10000, 29999, false),
  ('1', 20000, 10000, false),
  ('1e131000', 1, 100000, false),
  ('0e-16000', 10, 100, false)
) as v (number, times, bytes, wanted);
select ok(
  pgthreads.is_short(to_jsonb(repeat('x', 100000)), 100100), 'a long string is what it is');

select * from finish();
rollback;
