begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'redact_json_text', array['text']::name[], 'text', false, 'stable', false
);

select * from finish();
rollback;
