begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'finish_turn', array['text', 'text', 'text', 'text', 'jsonb', 'text']::name[], 'setof record',
    true, 'volatile', true
);

select * from finish();
rollback;
