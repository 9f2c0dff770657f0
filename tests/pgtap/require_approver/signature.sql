begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'require_approver', array['text']::name[],
  'void', false, 'stable', false
);

select * from finish();
rollback;
