begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'change_cursor', array['text']::name[], 'text', true, 'stable', true
);

select * from finish();
rollback;
