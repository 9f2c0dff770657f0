begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'forget_journal', array['text', 'text', 'text']::name[], 'integer',
  true, 'volatile', true
);

select * from finish();
rollback;
