begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'unindex_threads', array[]::name[], 'trigger', false, 'volatile', false
);

select * from finish();
rollback;
