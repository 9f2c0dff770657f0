begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'iban_length', array['text']::name[], 'integer', false, 'immutable', false
);

select * from finish();
rollback;
