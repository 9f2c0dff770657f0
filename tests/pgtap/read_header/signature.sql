begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'read_header', array['text', 'text']::name[], 'setof record', true, 'stable', true
);

select * from finish();
rollback;
