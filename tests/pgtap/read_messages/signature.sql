begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'read_messages', array['text', 'text', 'integer', 'integer', 'text']::name[], 'setof record',
    true, 'stable', true
);

select * from finish();
rollback;
