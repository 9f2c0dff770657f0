begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'list_shares', array['text', 'text']::name[], 'setof record', true, 'stable', true
);

select * from finish();
rollback;
