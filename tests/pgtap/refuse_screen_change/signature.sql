begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'refuse_screen_change', array[]::name[], 'trigger', false, 'volatile', false
);

select * from finish();
rollback;
