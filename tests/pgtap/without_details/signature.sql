begin;
select plan(10);
\ir ../helpers.psql

select test.declared(
  'without_details', array['jsonb']::name[], 'jsonb', false, 'immutable', false
);
select is(
  pgthreads.without_details('{"id": "a", "metadata": {"x": 1, "pgthreads": {"y": 2}}}'),
  '{"id": "a", "metadata": {"x": 1}}', 'the key is left out'
);
select is(
  pgthreads.without_details('{"id": "a", "metadata": {"pgthreads": 3}}'),
  '{"id": "a"}', 'metadata that would be empty is left out as well'
);
select is(
  pgthreads.without_details('{"id": "a", "metadata": {}}'),
  '{"id": "a", "metadata": {}}', 'but not metadata that was empty before'
);
select is(
  pgthreads.without_details('{"metadata": ["pgthreads"]}'),
  '{"metadata": ["pgthreads"]}', 'metadata that is no object stays'
);
select is(pgthreads.without_details('["pgthreads"]'), '["pgthreads"]', 'and so does what is none');

select * from finish();
rollback;
