begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'read_journal', array['text', 'text', 'text', 'integer']::name[], 'setof record',
  true, 'stable', true
);

select * from finish();
rollback;
