begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'has_long_shape', array['jsonb']::name[], 'boolean', false, 'immutable', false
);

select * from finish();
rollback;
