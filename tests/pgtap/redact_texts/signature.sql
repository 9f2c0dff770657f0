begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'redact_texts', array['text[]', 'text']::name[], 'text[]', true, 'stable', false
);

select * from finish();
rollback;
