begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'load_thread', array['text', 'text', 'integer', 'integer', 'text']::name[], 'json', true,
    'stable', true
);

select * from finish();
rollback;
