-- MESSAGES_GROW_ONLY: neither the server role nor the owner role nor a superuser can change or
-- remove a message.
begin;
select plan(44);
\ir ../helpers.psql

select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'k', test.messages(1, 2)) \g /dev/null
create temp table attack (place int, sql text);
insert into attack
values
  (1, $$ update pgthreads.message set message = '{}' $$),
  (2, $$ update pgthreads.message set seq = seq + 10 where false $$),
  (3, $$ delete from pgthreads.message $$),
  (4, $$ delete from pgthreads.message where seq = 2 $$),
  (5, $$ truncate pgthreads.message $$),
  (6, $$ truncate pgthreads.thread cascade $$),
  (7, $$ delete from pgthreads.thread $$),
  (8, $$ insert into pgthreads.message (owner_user_id, state_key, seq, message_id, message, digest)
    values ('alice', 'k', 1, 'm1', '{}', '') on conflict on constraint message_pkey
    do update set message = excluded.message $$),
  (9, $$ insert into pgthreads.message (owner_user_id, state_key, seq, message_id, message, digest)
    select 'alice', 'k', 3, 'm1', '{}', '' on conflict (owner_user_id, state_key, message_id)
    do update set seq = 3 $$),
  (10, $$ merge into pgthreads.message as m using (values (1)) as v (seq) on m.seq = v.seq
    when matched then update set message = '{}' $$),
  (11, $$ merge into pgthreads.message as m using (values (1)) as v (seq) on m.seq = v.seq
    when matched then delete $$),
  (12, $$ update pgthreads.ai_threads set messages = '[]' $$),
  (13, $$ delete from pgthreads.ai_threads $$),
  (14, $$ with gone as (delete from pgthreads.message returning *) select * from gone $$);
grant select on attack to public;

set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select throws_ok(sql, '42501', null, 'server role:' || regexp_replace(sql, '\s+', ' ', 'g'))
from attack
where place not in (12, 13)
order by place;
select throws_ok(
  $$ insert into pgthreads.message (owner_user_id, state_key, seq, message_id, message, digest)
    values ('alice', 'k', 3, 'x', '{}', '') $$, '42501', null, 'server role: no INSERT either'
);
select throws_ok(
  $$ insert into pgthreads.thread (owner_user_id, state_key) values ('alice', 'x') $$, '42501',
    null,
  'server role: no thread'
);
select throws_ok(
  $$ update pgthreads.thread set message_count = 0 $$, '42501', null, 'server role: no count'
);
select throws_ok(
  $$ select * from pgthreads.thread for update $$, '42501', null, 'server role: no lock of a row'
);
select throws_ok(
  $$ lock table pgthreads.message in share mode $$, '42501', null,
    'server role: no lock of the table'
);
select throws_ok(
  $$ alter table pgthreads.message disable trigger all $$, '42501', null, 'server role: no DDL'
);
select throws_ok(
  $$ create table pgthreads.x () $$, '42501', null, 'server role: nothing new in the schema'
);
select throws_ok(
  $$ update pgthreads.redaction_rule set enabled = false $$, '42501', null, 'server role: no rule'
);
select throws_ok(
  $$ update pgthreads.config set max_messages = 1 $$, '42501', null, 'server role: no limit'
);
select throws_ok(sql, null, null, 'server role:' || regexp_replace(sql, '\s+', ' ', 'g'))
  from attack where place in (12, 13);

reset role;
set local role pgthreads_owner;
select pgthreads.set_tenant('alice') \gset
select throws_ok(sql, case when place in (7, 12, 13) then null else '42501' end, null, 'owner role:'
  || regexp_replace(sql, '\s+', ' ', 'g'))
from attack
where place in (1, 2, 3, 5, 6, 7, 8, 9, 10, 11)
order by place;

reset role;
select throws_ok(sql, case when place in (7, 12, 13) then null else '42501' end, null, 'superuser:'
  || regexp_replace(sql, '\s+', ' ', 'g'))
from attack
where place in (1, 2, 3, 5, 6, 7, 8, 10, 11, 14)
order by place;
select is(
  (select string_agg(m.message ->> 'id', ' ' order by m.seq) from pgthreads.message as m
    where m.owner_user_id = 'alice'),
  'm1 m2', 'all are as they were'
);

select * from finish();
rollback;
