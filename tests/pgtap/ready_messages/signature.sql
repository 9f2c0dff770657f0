begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'ready_messages', array['jsonb']::name[], 'record', false, 'stable', false
);

select * from finish();
rollback;
