begin;
select plan(6);
\ir ../helpers.psql

select test.declared(
  'is_plain_read', array['text', 'text', 'integer', 'integer']::name[], 'boolean', false, 'stable',
  false
);
select unalike(
  test.explained($$
    select t.owner_user_id
    from pgthreads.thread as t
    where pgthreads.is_plain_read(t.owner_user_id, t.state_key, null, null)
  $$),
  '%is_plain_read%', 'the planner puts its expression in the place of its call'
);

select * from finish();
rollback;
