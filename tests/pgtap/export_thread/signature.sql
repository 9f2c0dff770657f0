begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'export_thread', array['text', 'text', 'integer', 'integer', 'text']::name[], 'setof record',
    true, 'stable', true
);

select * from finish();
rollback;
