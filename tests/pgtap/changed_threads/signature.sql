begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'changed_threads', array['text', 'text', 'integer']::name[], 'setof record', true, 'stable', true
);

select * from finish();
rollback;
