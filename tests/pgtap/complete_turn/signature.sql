begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'complete_turn',
  array['text', 'text', 'text', 'text', 'jsonb', 'jsonb', 'text', 'integer', 'text']::name[],
  'setof record', true, 'volatile', true
);

select * from finish();
rollback;
