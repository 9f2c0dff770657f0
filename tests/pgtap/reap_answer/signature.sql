begin;
select plan(6);
\ir ../helpers.psql

select test.declared(
  'reap_answer', array['text', 'text']::name[],
  'integer', true, 'volatile', false
);
select function_privs_are(
  'pgthreads', 'reap_answer', array['text', 'text']::name[],
  'pgthreads_maintenance', array['EXECUTE']::name[]
);

select * from finish();
rollback;
