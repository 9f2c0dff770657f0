begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'write_journal', array['text', 'text', 'text', 'integer', 'text']::name[], 'setof record',
  true, 'volatile', true
);

select * from finish();
rollback;
