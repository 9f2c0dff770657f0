begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'luhn_sum', array['bigint']::name[], 'bigint', false, 'immutable', false
);

select * from finish();
rollback;
