begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'verified_parts', array['text[]', 'text']::name[], 'record', false, 'immutable', false
);

select * from finish();
rollback;
