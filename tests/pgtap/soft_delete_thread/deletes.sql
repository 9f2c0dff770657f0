begin;
select plan(14);
\ir ../helpers.psql

set local role tap_server;
select test.refuses(
  $$ select pgthreads.soft_delete_thread('alice', 'k') $$, 'THTEN', null, null, 'no tenant'
);
select pgthreads.set_tenant('alice') \gset
select test.refuses(
  $$ select pgthreads.soft_delete_thread('alice', 'k') $$, 'THNON', null, null, 'no such thread'
);
select test.refuses(
  $$ select pgthreads.soft_delete_thread('alice', 'a b') $$, 'THKEY', null, null, 'a bad key'
);
select pgthreads.append_thread('alice', 'k', test.messages(1, 2)) \g /dev/null
select pgthreads.begin_turn('alice', 'k', test.message('u'), 't') \g /dev/null
select pgthreads.set_tenant('bob') \gset
select test.refuses(
  $$ select pgthreads.soft_delete_thread('bob', 'k') $$, 'THNON', null, null,
  'a foreign thread is not there'
);
select pgthreads.set_tenant('alice') \gset
select is(pgthreads.soft_delete_thread('alice', 'k'), true, 'deleted');
select is(pgthreads.soft_delete_thread('alice', 'k'), false, 'deleting twice is no error');
select is_empty($$ select * from pgthreads.list_threads('alice') $$, 'gone from the list');
select is_empty($$ select * from pgthreads.ai_threads $$, 'gone from the view');
select is_empty($$ select * from pgthreads.thread $$, 'gone from the table');
select is_empty($$ select * from pgthreads.message $$, 'and its messages, too');
select is(pgthreads.request_stop('alice', 'k'), null, 'its turn does not run');
reset role;
select results_eq(
  $$ select status, error_code, finished_at is not null from pgthreads.turn $$,
  $$ values ('stopped', 'thread_deleted', true) $$, 'it was stopped'
);
select is((select count(*) from pgthreads.message), 3::bigint,
  'the rows stay until they are purged');
set local role tap_server;
select pgthreads.set_tenant('bob') \gset
select results_eq(
  $$ select * from pgthreads.append_thread('bob', 'k', test.messages(1, 1)) $$,
  $$ values ('k', 1, 1) $$, 'another tenant may use the key'
);

select * from finish();
rollback;
