begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'soft_delete_thread', array['text', 'text']::name[], 'boolean', true, 'volatile', true
);

select * from finish();
rollback;
