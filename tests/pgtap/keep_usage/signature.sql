begin;
select plan(5);
\ir ../helpers.psql

select test.declared('keep_usage', array[]::name[], 'trigger', false, 'volatile', false);

select * from finish();
rollback;
