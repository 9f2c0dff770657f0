begin;
select plan(9);
\ir ../helpers.psql

set local role tap_server;
select test.refuses($$ select pgthreads.request_stop('alice', 'k') $$, 'THTEN', null, null,
  'no tenant');
select pgthreads.set_tenant('alice') \gset
select test.refuses(
  $$ select pgthreads.request_stop('alice', 'a b') $$, 'THKEY', null, null, 'a bad key'
);
select is(pgthreads.request_stop('alice', 'k'), null, 'no such thread');
select pgthreads.begin_turn('alice', 'k', test.message('u'), 't') \g /dev/null
select is(pgthreads.request_stop('alice', 'k'), 't', 'the turn that was asked');
reset role;
select stop_requested_at as first from pgthreads.turn \gset
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select is(pgthreads.request_stop('alice', 'k'), 't', 'asking again');
select is(
  pgthreads.set_tenant('bob') || coalesce(pgthreads.request_stop('bob', 'k'), ' none'), 'bob none',
  'another tenant stops nothing'
);
reset role;
select is((select stop_requested_at from pgthreads.turn), :'first', 'the time of the first stays');
update pgthreads.turn set lease_until = clock_timestamp();
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select is(pgthreads.request_stop('alice', 'k'), null, 'a dead turn is none');
select pgthreads.extend_turn('alice', 'k', 't'), pgthreads.finish_turn('alice', 'k', 't',
  'completed')
  \g /dev/null
select is(pgthreads.request_stop('alice', 'k'), null, 'nor is one that ended');

select * from finish();
rollback;
