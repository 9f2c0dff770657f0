begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'pause_turn', array['text', 'text', 'text', 'jsonb', 'jsonb', 'integer', 'text']::name[],
  'setof record', true, 'volatile', true
);

select * from finish();
rollback;
