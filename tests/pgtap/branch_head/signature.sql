begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'branch_head', array['text', 'text', 'text']::name[],
  'integer', false, 'stable', false
);

select * from finish();
rollback;
