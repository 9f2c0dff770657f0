begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'redact_json', array['jsonb']::name[],
  'jsonb', true, 'stable', true
);

select * from finish();
rollback;
