begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'lock_holders', array['integer', 'integer']::name[], 'text', false, 'stable', false
);

select * from finish();
rollback;
