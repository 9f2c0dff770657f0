-- A server may verify its tenant's threads that are not deleted, maintenance any thread.
begin;
select plan(12);
\ir ../helpers.psql
create role tap_operator nologin in role pgthreads_maintenance;

set local role tap_server;
select test.refuses(
  $$ select * from pgthreads.verify_thread('alice', 'k') $$, 'THTEN', null, null, 'no tenant'
);
select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'k', test.messages(1, 2)) \g /dev/null
select pgthreads.append_thread('alice', 'gone', test.messages(1, 1)) \g /dev/null
select pgthreads.soft_delete_thread('alice', 'gone') \g /dev/null
select test.refuses(
  $$ select * from pgthreads.verify_thread('bob', 'k') $$, 'THTEN', null, null, 'another tenant'
);
select test.refuses(
  $$ select * from pgthreads.verify_thread('alice', 'a b') $$, 'THKEY', null, null, 'a bad key'
);
select test.refuses(
  $$ select * from pgthreads.verify_thread('alice', 'none') $$, 'THNON', '%thread none%tap_server%',
  null, 'a thread that is not there'
);
select test.refuses(
  $$ select * from pgthreads.verify_thread('alice', 'gone') $$, 'THNON', null, null,
  'a deleted thread'
);
select results_eq(
  $$ select * from pgthreads.verify_thread('alice', 'k') $$,
  $$ values (true, 2, null::int, null::text) $$, 'its own thread'
);
select pgthreads.set_tenant('bob') \gset
select test.refuses(
  $$ select * from pgthreads.verify_thread('bob', 'k') $$, 'THNON', null, null,
  'another tenant''s thread'
);

set local role tap_operator;
select results_eq(
  $$ select * from pgthreads.verify_thread('alice', 'k') $$,
  $$ values (true, 2, null::int, null::text) $$, 'maintenance, whoever the tenant is'
);
select results_eq(
  $$ select ok, checked from pgthreads.verify_thread('alice', 'gone') $$, 'values (true, 1)',
  'also what is deleted'
);
select test.refuses(
  $$ select * from pgthreads.verify_thread('alice', 'none') $$, 'THNON', null, null,
  'but nothing that is not there'
);
reset role;
select results_eq(
  $$ select ok from pgthreads.verify_thread('alice', 'k') $$, array[true], 'a superuser'
);
set local role pgthreads_owner;
select test.refuses(
  $$ select * from pgthreads.verify_thread('alice', 'k') $$, 'THTEN', null, null,
  'the owner role needs a tenant'
);

select * from finish();
rollback;
