begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'merge_metadata', array['jsonb', 'jsonb']::name[],
  'jsonb', false, 'stable', false
);

select * from finish();
rollback;
