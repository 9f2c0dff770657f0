begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'site_notes', array[]::name[], 'setof record', false, 'stable', true
);

select * from finish();
rollback;
