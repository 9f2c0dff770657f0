begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'require_server_role', array[]::name[], 'text', false, 'stable', true
);

select * from finish();
rollback;
