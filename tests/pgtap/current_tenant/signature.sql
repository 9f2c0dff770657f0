begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'current_tenant', array[]::name[], 'text', false, 'stable', true
);

select * from finish();
rollback;
