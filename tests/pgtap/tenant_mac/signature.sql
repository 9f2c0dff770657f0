begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'tenant_mac', array['text', 'bytea']::name[], 'bytea', false, 'stable', false
);

select * from finish();
rollback;
