begin;
select plan(5);
\ir ../helpers.psql

select test.declared('is_known_part', array['jsonb']::name[], 'boolean', false, 'immutable', false);

select * from finish();
rollback;
