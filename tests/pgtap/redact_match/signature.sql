begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'redact_match', array['text', 'text', 'text']::name[],
  'text', false, 'immutable', false
);

select * from finish();
rollback;
