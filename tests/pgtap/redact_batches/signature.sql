begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'redact_batches', array['text[]', 'text[]']::name[], 'text[]', false, 'stable', false
);

select * from finish();
rollback;
