begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'require_state_key', array['text']::name[],
  'void', false, 'immutable', true
);

select * from finish();
rollback;
