begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'tenant_proof', array['text']::name[], 'text', false, 'stable', false
);

select * from finish();
rollback;
