begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'tenant_proof', array['text']::name[], 'text', false, 'volatile', false
);

select * from finish();
rollback;
