begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'index_title', array[]::name[], 'trigger', false, 'volatile', false
);

select * from finish();
rollback;
