begin;
select plan(6);
\ir ../helpers.psql

select test.declared(
  'purge_turns', array['interval', 'integer']::name[], 'setof record',
  false, 'volatile', false
);
select function_privs_are(
  'pgthreads', 'purge_turns', array['interval', 'integer']::name[], 'pgthreads_maintenance',
  array['EXECUTE']
);

select * from finish();
rollback;
