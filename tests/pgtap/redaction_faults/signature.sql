begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'redaction_faults', array[]::name[], 'setof record', true, 'stable', true
);

select * from finish();
rollback;
