begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'refresh_tenancy', array[]::name[], 'trigger', true, 'volatile', false
);

select * from finish();
rollback;
