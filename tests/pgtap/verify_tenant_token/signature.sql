begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'verify_tenant_token', array['text']::name[], 'setof record', true, 'volatile', true
);

select * from finish();
rollback;
