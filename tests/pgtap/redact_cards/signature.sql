begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'redact_cards', array['text', 'text']::name[],
  'text', false, 'immutable', false
);

select * from finish();
rollback;
