begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'replaced_message', array['text', 'text', 'text', 'boolean']::name[],
  'setof record', false, 'volatile', false
);

select * from finish();
rollback;
