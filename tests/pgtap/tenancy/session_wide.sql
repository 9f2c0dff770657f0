-- A setting that stays after its transaction gives access that stays. A setting by set_tenant does
-- not stay.
\set QUIET on
begin;
\ir ../empty.psql
set local client_min_messages = warning;
drop role if exists tap_session;
create role tap_session nologin in role pgthreads_server;
commit;
begin;
set local role tap_session;
select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'tap_session', '[]') \g /dev/null
commit;

select plan(5);
begin;
set local role tap_session;
select is(current_setting('app.current_user_id', true), '',
  'after its transaction the setting is empty');
select is((select count(*) from pgthreads.thread), 0::bigint, 'and shows nothing');
select throws_ok(
  $$ select pgthreads.list_threads('alice') $$, 'THTEN', null, 'functions refuse'
);
commit;

set app.current_user_id = 'alice';
begin;
set local role tap_session;
select is(
  (select count(*) from pgthreads.thread where state_key = 'tap_session'), 1::bigint,
  'a session-wide setting works, which is why nothing of ours makes one'
);
select pgthreads.set_tenant('bob') \gset
select is((select count(*) from pgthreads.thread), 0::bigint, 'set_tenant goes before it');
commit;
reset app.current_user_id;

select * from finish();
begin;
delete from pgthreads.thread where owner_user_id = 'alice' and state_key = 'tap_session';
drop role tap_session;
commit;
