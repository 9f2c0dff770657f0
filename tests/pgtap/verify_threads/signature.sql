begin;
select plan(6);
\ir ../helpers.psql

select test.declared(
  'verify_threads', array['text', 'integer', 'text', 'text']::name[], 'setof record',
  false, 'stable', false
);
select function_privs_are(
  'pgthreads', 'verify_threads', array['text', 'integer', 'text', 'text']::name[],
  'pgthreads_maintenance', array['EXECUTE']
);

select * from finish();
rollback;
