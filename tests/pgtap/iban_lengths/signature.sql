begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'iban_lengths', array[]::name[], 'jsonb', false, 'immutable', false
);

select * from finish();
rollback;
