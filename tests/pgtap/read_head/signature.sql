begin;
select plan(6);
\ir ../helpers.psql

select test.declared(
  'read_head', array['text', 'text', 'text']::name[], 'setof record', false, 'stable', false
);
select unalike(
  test.explained($$ select r.head_seq from pgthreads.read_head('alice', 'k', null) as r $$),
  '%"Function Name": "read_head"%', 'the planner puts its query in the place of its call'
);

select * from finish();
rollback;
