begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'begin_turn', array['text', 'text', 'jsonb', 'text', 'integer', 'jsonb', 'text', 'boolean',
    'text', 'text', 'text']::name[], 'setof record', true, 'volatile', true
);

select * from finish();
rollback;
