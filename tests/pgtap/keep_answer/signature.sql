begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'keep_answer', array['text', 'text', 'text', 'jsonb', 'text', 'text']::name[], 'boolean', true,
  'volatile', true
);

select * from finish();
rollback;
