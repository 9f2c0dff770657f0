begin;
select plan(15);
\ir ../helpers.psql

set local role tap_server;
select test.refuses(
  $$ select pgthreads.extend_turn('alice', 'k', 't') $$, 'THTEN', null, null, 'no tenant'
);
select pgthreads.set_tenant('alice') \gset
select results_eq(
  $$ select * from pgthreads.extend_turn('alice', 'k', 't') $$,
  $$ values (false, false, null::timestamptz) $$, 'no such turn'
);
select pgthreads.begin_turn('alice', 'k', test.message('u'), 't') \g /dev/null
reset role;
update pgthreads.turn set lease_until = clock_timestamp() + '1 second';
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select results_eq(
  $$ select alive, stop_requested, lease_until > clock_timestamp() + '59 seconds'
    from pgthreads.extend_turn('alice', 'k', 't') $$,
  $$ values (true, false, true) $$, 'the lease is whole again'
);
select results_eq(
  $$ select alive from pgthreads.extend_turn('alice', 'k', 'other') $$, array[false], 'another turn'
);
select results_eq(
  $$ select alive from pgthreads.extend_turn('alice', 'k', null) $$, array[false], 'a null turn'
);
select results_eq(
  $$ select alive from pgthreads.extend_turn('alice', 'other', 't') $$, array[false],
    'another thread'
);
select results_eq(
  $$ select alive, stop_requested, lease_until > clock_timestamp() + '59 seconds'
    from pgthreads.extend_turn('alice', 'k', 't', false) $$,
  $$ values (true, false, true) $$, 'without waiting the same'
);
select results_eq(
  $$ select * from pgthreads.extend_turn('alice', 'k', 'other', false) $$,
  $$ values (false, false, null::timestamptz) $$, 'also for another turn'
);
select pgthreads.set_tenant('bob') \gset
select results_eq(
  $$ select alive from pgthreads.extend_turn('bob', 'k', 't') $$, array[false], 'another tenant'
);
select test.refuses(
  $$ select pgthreads.extend_turn('alice', 'k', 't') $$, 'THTEN', null, null, 'who is not the owner'
);
select pgthreads.set_tenant('alice') \gset
select is(pgthreads.request_stop('alice', 'k'), 't', 'a stop');
select results_eq(
  $$ select alive, stop_requested from pgthreads.extend_turn('alice', 'k', 't') $$,
  $$ values (true, true) $$, 'is told by the next heartbeat'
);
select pgthreads.finish_turn('alice', 'k', 't', 'stopped') \g /dev/null
select results_eq(
  $$ select alive, stop_requested from pgthreads.extend_turn('alice', 'k', 't') $$,
  $$ values (false, false) $$, 'a turn that ended has none'
);
select results_eq(
  $$ select * from pgthreads.extend_turn('alice', 'k', 't', false) $$,
  $$ values (false, false, null::timestamptz) $$, 'without waiting either'
);
reset role;
select is((select status from pgthreads.turn), 'stopped', 'and stays as it ended');

select * from finish();
rollback;
