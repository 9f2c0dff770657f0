begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'cluster_history', array[]::name[], 'bigint', false, 'stable', false
);

select * from finish();
rollback;
