begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'find_question', array['text', 'text', 'jsonb', 'text', 'text', 'boolean', 'text',
    'text']::name[], 'setof record', false, 'volatile', false
);

select * from finish();
rollback;
