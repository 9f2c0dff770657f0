begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'is_ui_message', array['jsonb']::name[], 'boolean', false, 'immutable', true
);

select * from finish();
rollback;
