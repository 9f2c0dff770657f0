begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'has_plain_numbers', array['jsonb']::name[], 'boolean', false, 'stable', true
);

select * from finish();
rollback;
