begin;
select plan(6);
\ir ../helpers.psql

select test.declared(
  'thread_stats', array[]::name[], 'setof record',
  false, 'stable', false
);
select function_privs_are(
  'pgthreads', 'thread_stats', array[]::name[], 'pgthreads_maintenance',
  array['EXECUTE']
);

select * from finish();
rollback;
