begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'new_state_key', array[]::name[], 'text', false, 'volatile', true
);

select * from finish();
rollback;
