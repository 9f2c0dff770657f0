begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'fit_range', array['text', 'text', 'integer', 'integer', 'bigint']::name[], 'record',
  false, 'stable', false
);

select * from finish();
rollback;
