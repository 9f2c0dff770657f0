begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'prepare_messages', array['jsonb']::name[], 'setof record', false, 'stable', false
);

select * from finish();
rollback;
