begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'rebuild_search', array[]::name[], 'bigint', false, 'volatile', false
);

select * from finish();
rollback;
