begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'is_short', array['jsonb', 'integer']::name[], 'boolean', false, 'stable', false
);

select * from finish();
rollback;
