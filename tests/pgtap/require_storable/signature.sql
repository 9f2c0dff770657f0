begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'require_storable', array['jsonb', 'text', 'integer']::name[], 'void', false, 'immutable', false
);

select * from finish();
rollback;
