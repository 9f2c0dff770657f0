begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'wait_for_turn', array['text', 'text', 'text', 'boolean', 'text']::name[], 'setof record',
  false, 'volatile', false
);

select * from finish();
rollback;
