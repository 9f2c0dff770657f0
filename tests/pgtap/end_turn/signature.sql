begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'end_turn', array['text', 'text', 'text', 'text', 'jsonb', 'text', 'integer',
    'text']::name[], 'text',
  false, 'volatile', false
);

select * from finish();
rollback;
