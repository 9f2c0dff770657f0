begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'may_hold_secret', array['text']::name[], 'boolean', true, 'stable', false
);

select * from finish();
rollback;
