begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'requires_token', array[]::name[], 'boolean', false, 'stable', true
);

select * from finish();
rollback;
