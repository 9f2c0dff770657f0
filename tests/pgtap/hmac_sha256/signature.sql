begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'hmac_sha256', array['bytea', 'bytea']::name[], 'bytea', false, 'immutable', false
);

select * from finish();
rollback;
