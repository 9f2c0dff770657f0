begin;
select plan(10);
\ir ../helpers.psql

select test.declared(
  'is_plain_message', array['jsonb']::name[], 'boolean', false, 'stable', false
);

select ok(pgthreads.is_plain_message(test.message('m')), 'text is plain');
select ok(
  not pgthreads.is_plain_message(test.message('m')
    || ('{"metadata": ' || repeat('[', 60) || repeat(']', 60) || '}')::jsonb),
  'deep metadata is not');
select ok(
  not pgthreads.is_plain_message(test.message('m') || '{"metadata": 1e400}'),
  'nor is a number that no double holds');
select ok(not pgthreads.is_plain_message(test.message(repeat('i', 257))), 'nor a long id');
select is(pgthreads.is_plain_message(null), null, 'null is null');

select * from finish();
rollback;
