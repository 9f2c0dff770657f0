begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'read_thread_details', array['text', 'text', 'integer', 'integer', 'text', 'text']::name[],
    'setof record', true, 'stable', true
);

select * from finish();
rollback;
