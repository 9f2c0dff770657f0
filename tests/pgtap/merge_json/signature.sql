begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'merge_json', array['jsonb', 'jsonb']::name[], 'jsonb',
  false, 'immutable', false
);

select * from finish();
rollback;
