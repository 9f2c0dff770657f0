begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'joined_screens', array[]::name[], 'setof record', true, 'stable', false
);

select * from finish();
rollback;
