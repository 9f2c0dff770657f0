begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'question_content', array['jsonb']::name[], 'jsonb', false, 'immutable', false
);

select * from finish();
rollback;
