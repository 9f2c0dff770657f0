begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'require_window', array['integer', 'integer']::name[],
  'void', false, 'immutable', false
);

select * from finish();
rollback;
