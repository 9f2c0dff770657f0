begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'mint_tenant_token', array['text', 'interval']::name[], 'text', false, 'volatile', false
);

select * from finish();
rollback;
