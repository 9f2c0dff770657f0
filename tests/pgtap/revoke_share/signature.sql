begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'revoke_share', array['text', 'text', 'text']::name[], 'boolean', true, 'volatile', true
);

select * from finish();
rollback;
