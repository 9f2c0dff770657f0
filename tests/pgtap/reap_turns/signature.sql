begin;
select plan(6);
\ir ../helpers.psql

select test.declared(
  'reap_turns', array['integer', 'interval']::name[], 'setof record',
  false, 'volatile', false
);
select function_privs_are(
  'pgthreads', 'reap_turns', array['integer', 'interval']::name[], 'pgthreads_maintenance',
  array['EXECUTE']
);

select * from finish();
rollback;
