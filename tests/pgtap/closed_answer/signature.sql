begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'closed_answer', array['jsonb', 'text']::name[],
  'jsonb', false, 'immutable', false
);

select * from finish();
rollback;
