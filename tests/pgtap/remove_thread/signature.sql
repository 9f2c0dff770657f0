begin;
select plan(6);
\ir ../helpers.psql

select test.declared(
  'remove_thread', array['text', 'text']::name[], 'setof record',
  false, 'volatile', false
);
select function_privs_are(
  'pgthreads', 'remove_thread', array['text', 'text']::name[], 'pgthreads_maintenance',
  array['EXECUTE']
);

select * from finish();
rollback;
