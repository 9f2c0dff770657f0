begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'iban_remainder', array['text']::name[], 'integer', false, 'immutable', false
);

select * from finish();
rollback;
