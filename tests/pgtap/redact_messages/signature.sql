begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'redact_messages', array['jsonb[]']::name[], 'jsonb[]', false, 'stable', false
);

select * from finish();
rollback;
