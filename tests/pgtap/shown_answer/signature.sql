begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'shown_answer', array['text', 'text', 'integer', 'integer', 'text']::name[],
  'setof record', false, 'stable', false
);

select * from finish();
rollback;
