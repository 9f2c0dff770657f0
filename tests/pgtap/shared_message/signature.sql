begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'shared_message', array['jsonb']::name[], 'jsonb', false, 'immutable', false
);

select * from finish();
rollback;
