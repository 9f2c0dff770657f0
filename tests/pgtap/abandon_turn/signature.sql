begin;
select plan(6);
\ir ../helpers.psql

select test.declared(
  'abandon_turn', array['text', 'text', 'text']::name[], 'integer',
  false, 'volatile', false
);
select function_privs_are(
  'pgthreads', 'abandon_turn', array['text', 'text', 'text']::name[],
  'pgthreads_maintenance', array[]::name[]
);

select * from finish();
rollback;
