begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'list_threads', array['text', 'integer', 'text', 'boolean']::name[], 'setof record', true,
    'stable', true
);

select * from finish();
rollback;
