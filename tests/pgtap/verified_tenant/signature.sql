begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'verified_tenant', array[]::name[], 'text', true, 'stable', true
);

select * from finish();
rollback;
