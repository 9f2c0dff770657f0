begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'clean_json', array['text']::name[], 'jsonb', false, 'immutable', true
);

select * from finish();
rollback;
