begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'transaction_proof', array['text', 'bigint']::name[], 'text', false, 'volatile', false
);

select * from finish();
rollback;
