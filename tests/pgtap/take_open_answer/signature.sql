begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'take_open_answer', array['text', 'text', 'text', 'text']::name[],
  'void', false, 'volatile', false
);

select * from finish();
rollback;
