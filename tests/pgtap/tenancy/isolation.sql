-- TENANT_SCOPED: without the setting there is no access, and with another setting there are no
-- rows. This holds for tables, view and functions, and for every role except superusers.
begin;
select plan(34);
\ir ../helpers.psql

-- The SQLSTATE of each call, or how many rows it shows.
create function test.outcome(p_sql text) returns text language plpgsql as $$
declare
  v_rows bigint;
begin
  execute format('select count(*) from (%s) as q', p_sql) into v_rows;
  return v_rows;
exception when others then
  return sqlstate;
end;
$$;
create temp table call (place int, sql text);
insert into call
values
  (1, $$ select * from pgthreads.load_thread('alice', 'k') $$),
  (2, $$ select * from pgthreads.read_messages('alice', 'k') $$),
  (3, $$ select * from pgthreads.read_thread('alice', 'k') $$),
  (4, $$ select * from pgthreads.list_threads('alice') $$),
  (5, $$ select * from pgthreads.append_thread('alice', 'k', test.messages(9, 9)) $$),
  (6, $$ select * from pgthreads.save_thread('alice', 'k', test.messages(1, 9)) $$),
  (7, $$ select * from pgthreads.update_thread('alice', 'k', 'x') $$),
  (8, $$ select * from pgthreads.soft_delete_thread('alice', 'k') $$),
  (9, $$ select * from pgthreads.begin_turn('alice', 'k', test.message('u9'), 't9') $$),
  (10, $$ select * from pgthreads.extend_turn('alice', 'k', 't') $$),
  (11, $$ select * from pgthreads.request_stop('alice', 'k') $$),
  (12, $$ select * from pgthreads.finish_turn('alice', 'k', 't', 'completed') $$),
  (13, $$ select * from pgthreads.require_tenant('alice') $$),
  (14, $$ select * from pgthreads.keep_answer('alice', 'k', 't', test.message('a'), 'late') $$),
  (15, $$ select * from pgthreads.complete_turn('alice', 'k', 't', 'completed',
    test.message('a')) $$);
grant select on call to tap_server;

set local role tap_server;
select is(
  (select string_agg(distinct test.outcome(sql), ' ') from call), 'THTEN',
  'no setting: every function refuses'
);
select is(test.outcome('select * from pgthreads.' || t), '0', 'no setting: no rows of ' || t)
from (values ('thread'), ('message'), ('ai_threads')) as v (t);
select is(test.outcome('select * from pgthreads.' || t), '42501', 'no right to ' || t)
from (values ('turn'), ('config'), ('redaction_rule'), ('migration'), ('late_answer')) as v (t);

select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'k', test.messages(1, 2)) \g /dev/null
select pgthreads.append_thread('alice', 'gone', test.messages(1, 2)),
  pgthreads.soft_delete_thread('alice', 'gone') \g /dev/null
select is(test.outcome('select * from pgthreads.' || t), n::text, 'the tenant''s own rows of ' || t)
from (values ('thread', 1), ('message', 2), ('ai_threads', 1)) as v (t, n);

-- The setting changes in the middle of a transaction, and back.
set local app.current_user_id = 'bob';
select is(
  (select string_agg(distinct test.outcome(sql), ' ') from call), 'THTEN',
  'another tenant: every function refuses'
);
select is(test.outcome('select * from pgthreads.' || t), '0', 'another tenant: no rows of ' || t)
from (values ('thread'), ('message'), ('ai_threads')) as v (t);
select is(
  test.outcome($$ select * from pgthreads.thread where owner_user_id = 'alice' $$), '0',
  'nor when it asks for them'
);
set local app.current_user_id = 'Alice';
select is(test.outcome('select * from pgthreads.thread'), '0', 'case counts');
set local app.current_user_id = 'alice ';
select is(test.outcome('select * from pgthreads.thread'), '0', 'spaces count');
set local app.current_user_id = '';
select is(
  (select string_agg(distinct test.outcome(sql), ' ') from call), 'THTEN',
  'an empty setting, which is what is left of one: every function refuses'
);
select is(test.outcome('select * from pgthreads.' || t), '0', 'an empty setting: no rows of ' || t)
from (values ('thread'), ('message'), ('ai_threads')) as v (t);
reset app.current_user_id;
select is(
  (select string_agg(distinct test.outcome(sql), ' ') from call), 'THTEN',
  'a setting that was reset: every function refuses'
);

-- One prepared statement follows the setting and the role that it runs under.
set local app.current_user_id = 'alice';
prepare keys as select count(*)::int from pgthreads.thread;
select results_eq('execute keys', array[1], 'a prepared statement shows the tenant''s');
set local app.current_user_id = 'bob';
select results_eq('execute keys', array[0], 'and not after the setting has changed');
reset role;
select results_eq('execute keys', array[2], 'a superuser sees everything by it');
set local role tap_server;
select results_eq('execute keys', array[0], 'and the server role again its own');

-- A cheap function that reports what it sees runs after the policy.
reset role;
create function test.peek(p_text text) returns boolean language plpgsql cost 0.0000001 as $$
begin
  raise exception 'saw %', p_text;
end;
$$;
set local role tap_server;
select lives_ok(
  'select * from pgthreads.message where test.peek(message::text)',
  'a function in a condition sees no foreign row'
);
select lives_ok(
  'select * from pgthreads.ai_threads where test.peek(messages::text)', 'nor by the view'
);

-- The policies also hold for the owner role; a role that is not one of ours has no access at all.
reset role;
grant select on call to pgthreads_owner;
set local role pgthreads_owner;
select is(test.outcome('select * from pgthreads.thread'), '0',
  'the owner role sees its tenant''s alone');
select throws_ok(
  $$ insert into pgthreads.thread (owner_user_id, state_key) values ('alice', 'x') $$, '42501',
    null,
  'and writes no other''s'
);
reset role;
set local role pgthreads_maintenance;
select is(
  test.outcome('select * from pgthreads.ai_threads'), '42501',
  'the maintenance role does not read by the view'
);
select throws_ok(
  $$ select pgthreads.load_thread('alice', 'k') $$, '42501', null, 'nor to call a runtime function'
);

select * from finish();
rollback;
