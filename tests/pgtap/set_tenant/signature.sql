begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'set_tenant', array['text']::name[], 'text', false, 'volatile', true
);

select * from finish();
rollback;
