begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'check_redaction_rule', array[]::name[], 'trigger', true, 'volatile', false
);

select * from finish();
rollback;
