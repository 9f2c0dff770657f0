begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'require_responses', array['jsonb']::name[],
  'jsonb', false, 'stable', false
);

select * from finish();
rollback;
