begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'extend_turn', array['text', 'text', 'text', 'boolean']::name[], 'setof record', true,
  'volatile', true
);

select * from finish();
rollback;
