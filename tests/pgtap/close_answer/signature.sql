begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'close_answer', array['text', 'text', 'text']::name[],
  'integer', false, 'volatile', false
);

select * from finish();
rollback;
