begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'kept_strings', array['text[]', 'text']::name[], 'integer[]', false, 'immutable', false
);

select * from finish();
rollback;
