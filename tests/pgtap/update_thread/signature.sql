begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'update_thread', array['text', 'text', 'text', 'jsonb', 'boolean']::name[], 'setof record', true,
    'volatile', true
);

select * from finish();
rollback;
