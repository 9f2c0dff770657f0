-- It removes everything of an owner, at once or in batches, and says what that was.
begin;
select plan(20);
\ir ../operators.psql

select test.thread('alice', k, n, d)
from (values ('a', 3, null), ('b', 1, interval '1 minute'), ('c', 2, null), ('d', 0, null))
  as v (k, n, d) \g /dev/null
select test.thread('bob', 'a') \g /dev/null
select pgthreads.set_tenant('alice') \g /dev/null
select pgthreads.begin_turn('alice', 'c', test.message('u'), 't') \g /dev/null
select jsonb_object_agg(t.state_key, encode(t.head_digest, 'hex')) as digests
from pgthreads.thread as t where t.owner_user_id = 'alice' \gset

set local role tap_operator;
insert into pgthreads.retention values ('alice', '1 day', 'asked for it');
create temp table receipt (part int, body jsonb);
insert into receipt select 1, pgthreads.erase_owner('alice', 2);
select is(body - '{bytes,erased_at,digests}'::text[], jsonb_build_object(
  'owner_user_id', 'alice', 'complete', false, 'threads', 2, 'messages', 4, 'turns', 0
), 'a batch') from receipt;
select is(test.left(), array['alice/c', 'alice/d', 'bob/a'], 'its threads have gone');
select is((select count(*)::int from pgthreads.retention), 1, 'there is more to come');
insert into receipt select 2, pgthreads.erase_owner('alice');
select is(body - '{bytes,erased_at,digests}'::text[], jsonb_build_object(
  'owner_user_id', 'alice', 'complete', true, 'threads', 2, 'messages', 3, 'turns', 1
), 'the rest, with a running turn') from receipt where part = 2;
select is(test.left(), array['bob/a'], 'all threads of the owner have gone');
select is((select count(*)::int from pgthreads.message), 2, 'and all messages');
select is((select count(*)::int from pgthreads.turn), 0, 'and turns');
select is((select count(*)::int from pgthreads.retention), 0, 'and what was said of the owner');
select is(
  (
    select jsonb_object_agg(d ->> 'state_key', d ->> 'digest')
    from receipt, jsonb_array_elements(body -> 'digests') as d
  ),
  :'digests'::jsonb, 'the receipts have each thread''s last digest'
);
select results_eq(
  $$ select d ->> 'state_key', (d ->> 'messages')::int
    from receipt, jsonb_array_elements(body -> 'digests') with ordinality as d (d, place)
    order by part, place $$,
  $$ values ('a', 3), ('b', 1), ('c', 3), ('d', 0) $$, 'and its messages'
);
select cmp_ok((select min((body ->> 'bytes')::int) from receipt), '>', 100, 'and bytes');
select cmp_ok(
  (select max(abs(extract(epoch from clock_timestamp() - (body ->> 'erased_at')::timestamptz)))
    from receipt), '<', 60::numeric, 'and the time'
);
select is(
  pgthreads.erase_owner('alice') - 'erased_at',
  '{"owner_user_id": "alice", "complete": true, "threads": 0, "messages": 0, "turns": 0, "bytes": 0,
    "digests": []}', 'an owner without anything'
);
select test.refuses(
  format('select pgthreads.erase_owner(%L)', owner), '22023', '%1 to 255 characters%', null,
  format('owner %L', left(owner, 3))
)
from (values (null), (''), (repeat('a', 256))) as v (owner);
select test.refuses(
  $$ select pgthreads.erase_owner('bob', 0) $$, '22023', 'p_batch is 0.', null, 'no batch'
);

insert into pgthreads.retention values ('bob', null, 'a lawsuit');
select test.refuses(
  $$ select pgthreads.erase_owner('bob') $$, '55000', '%retention%', '%hold has ended%',
  'an owner on hold'
);

-- Every table with an owner is listed here; erasure forgets a table that is missing.
reset role;
select set_eq(
  $$
    select c.relname::text
    from pg_class as c
    join pg_attribute as a on a.attrelid = c.oid and a.attname = 'owner_user_id'
    where c.relnamespace = 'pgthreads'::regnamespace and c.relkind in ('r', 'p')
      and not c.relispartition
  $$,
  array['thread', 'message', 'turn', 'retention', 'queued_turn', 'late_answer', 'journal',
    'usage_total', 'open_answer', 'tool_response', 'share'],
  'these are all tables with an owner: a new one belongs into remove_thread or erase_owner'
);
set local role tap_server;
select throws_ok(
  $$ select pgthreads.erase_owner('bob') $$, '42501', 'permission denied for function erase_owner',
  'it is not for servers'
);

select * from finish();
rollback;
