begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'assemble_message', array['text']::name[], 'jsonb',
  true, 'immutable', true
);

select * from finish();
rollback;
