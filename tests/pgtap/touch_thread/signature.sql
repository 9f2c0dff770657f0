begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'touch_thread', array['text', 'text']::name[], 'void', false, 'volatile', false
);

select * from finish();
rollback;
