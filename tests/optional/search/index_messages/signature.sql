begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'index_messages', array[]::name[], 'trigger', false, 'volatile', false
);

select * from finish();
rollback;
