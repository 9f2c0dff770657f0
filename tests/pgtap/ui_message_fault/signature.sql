begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'ui_message_fault', array['jsonb']::name[],
  'text', true, 'immutable', true
);

select * from finish();
rollback;
