begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'prints_within', array['jsonb', 'integer']::name[], 'boolean', false, 'immutable', false
);

select * from finish();
rollback;
