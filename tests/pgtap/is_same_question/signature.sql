begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'is_same_question', array['jsonb', 'jsonb']::name[], 'boolean', false, 'stable', false
);

select * from finish();
rollback;
