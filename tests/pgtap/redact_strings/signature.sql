begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'redact_strings', array['text', 'boolean']::name[], 'text', false, 'stable', false
);

select * from finish();
rollback;
