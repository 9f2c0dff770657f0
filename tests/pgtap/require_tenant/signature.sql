begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'require_tenant', array['text']::name[], 'void', false, 'stable', true
);

select * from finish();
rollback;
