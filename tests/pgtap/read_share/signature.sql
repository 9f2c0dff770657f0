begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'read_share', array['text', 'integer', 'integer']::name[], 'setof record', true, 'volatile', true
);

select * from finish();
rollback;
