begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'approval_roles', array['text']::name[],
  'name[]', false, 'stable', false
);

select * from finish();
rollback;
