begin;
select plan(5);
\ir ../helpers.psql

select test.declared('has_shape', array['jsonb']::name[], 'boolean', false, 'stable', false);

select * from finish();
rollback;
