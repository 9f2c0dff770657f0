begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'redaction_rule_fault', array['text']::name[], 'text', true, 'stable', false
);

select * from finish();
rollback;
