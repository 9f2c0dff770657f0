begin;
select plan(10);
\ir ../operators.psql

select test.declared(
  'note_verification', array['bigint', 'bigint']::name[], 'timestamp with time zone',
  false, 'volatile', false
);
select function_privs_are(
  'pgthreads', 'note_verification', array['bigint', 'bigint']::name[], 'pgthreads_maintenance',
  array['EXECUTE']
);

set local role tap_operator;
select isnt(pgthreads.note_verification(3, 0), null, 'the first');
select isnt(pgthreads.note_verification(4, 1), null, 'another');
select results_eq(
  'select threads, bad, finished_at > now() from pgthreads.verification',
  'values (4::bigint, 1::bigint, true)', 'the last one is kept'
);
select throws_ok(
  'select pgthreads.note_verification(1, 2)', '23514', null, 'more bad ones than there are'
);

select * from finish();
rollback;
