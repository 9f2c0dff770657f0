begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'question_of', array['text', 'text', 'integer']::name[], 'setof record', false, 'stable', false
);

select * from finish();
rollback;
