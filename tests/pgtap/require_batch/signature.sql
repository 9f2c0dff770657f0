begin;
select plan(6);
\ir ../helpers.psql

select test.declared(
  'require_batch', array['integer']::name[], 'void',
  false, 'immutable', false
);
select function_privs_are(
  'pgthreads', 'require_batch', array['integer']::name[], 'pgthreads_maintenance',
  array['EXECUTE']
);

select * from finish();
rollback;
