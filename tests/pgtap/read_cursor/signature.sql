begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'read_cursor', array['text']::name[], 'bigint[]', false, 'stable', false
);

select * from finish();
rollback;
