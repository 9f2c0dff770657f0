begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'answer_calls', array['jsonb', 'jsonb']::name[],
  'jsonb', false, 'immutable', false
);

select * from finish();
rollback;
