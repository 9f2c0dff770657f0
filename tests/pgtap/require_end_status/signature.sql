begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'require_end_status', array['text']::name[], 'void', false, 'immutable', false
);

select * from finish();
rollback;
