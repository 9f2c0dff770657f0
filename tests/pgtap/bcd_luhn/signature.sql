begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'bcd_luhn', array['bigint']::name[], 'bigint', false, 'immutable', false
);

select * from finish();
rollback;
