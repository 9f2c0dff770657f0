begin;
select plan(5);
\ir ../helpers.psql

select test.declared('require_installed', array[]::name[], 'void', true, 'stable', false);

select * from finish();
rollback;
