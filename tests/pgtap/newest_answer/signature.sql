begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'newest_answer', array['text', 'text', 'integer']::name[], 'integer', false, 'stable', false
);

select * from finish();
rollback;
