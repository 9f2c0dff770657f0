begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'branch_ranges', array['text', 'text', 'integer', 'integer', 'integer']::name[],
  'setof record', false, 'stable', false
);

select * from finish();
rollback;
