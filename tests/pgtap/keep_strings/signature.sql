begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'keep_strings', array['text[]', 'text']::name[], 'text[]', false, 'immutable', false
);

select * from finish();
rollback;
