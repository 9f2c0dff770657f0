begin;
select plan(6);
\ir ../helpers.psql

select test.declared(
  'erase_owner', array['text', 'integer']::name[], 'jsonb',
  false, 'volatile', false
);
select function_privs_are(
  'pgthreads', 'erase_owner', array['text', 'integer']::name[], 'pgthreads_maintenance',
  array['EXECUTE']
);

select * from finish();
rollback;
