begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'waiting_calls', array['jsonb']::name[],
  'jsonb', false, 'immutable', false
);

select * from finish();
rollback;
