begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'api_version', array[]::name[], 'integer', false, 'immutable', true
);

select * from finish();
rollback;
