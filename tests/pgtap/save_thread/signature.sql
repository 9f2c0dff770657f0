begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'save_thread', array['text', 'text', 'jsonb', 'integer', 'jsonb']::name[], 'setof record', true,
    'volatile', true
);

select * from finish();
rollback;
