begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'fold_json', array['jsonb[]']::name[], 'jsonb',
  false, 'immutable', false
);

select * from finish();
rollback;
