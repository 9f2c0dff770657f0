begin;
select plan(6);
\ir ../helpers.psql

select test.declared(
  'verify_thread', array['text', 'text']::name[], 'setof record',
  false, 'stable', true
);
select function_privs_are(
  'pgthreads', 'verify_thread', array['text', 'text']::name[], 'pgthreads_maintenance',
  array['EXECUTE']
);

select * from finish();
rollback;
