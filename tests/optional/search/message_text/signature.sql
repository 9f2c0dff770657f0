begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'message_text', array['json']::name[], 'text', false, 'immutable', false
);

select * from finish();
rollback;
