-- It pages through all threads, or one owner's, in the order of their keys, and leaves none out.
begin;
select plan(11);
\ir ../operators.psql

select test.thread(o, k, 2, case when k = 'b' then interval '1 day' end)
from unnest(array['alice', 'bob']) as o, unnest(array['a', 'b', 'c']) as k \g /dev/null
set local session_replication_role = replica;
update pgthreads.message set digest = 'x'
where owner_user_id = 'bob' and state_key = 'a' and seq = 2;
set local session_replication_role = origin;

set local role tap_operator;
select results_eq(
  'select owner_user_id, state_key, ok, checked, bad_seq from pgthreads.verify_threads()',
  $$ values ('alice', 'a', true, 2, null::int), ('alice', 'b', true, 2, null),
    ('alice', 'c', true, 2, null), ('bob', 'a', false, 2, 2), ('bob', 'b', true, 2, null),
    ('bob', 'c', true, 2, null) $$,
  'all threads, deleted ones too'
);
select matches(
  (select detail from pgthreads.verify_threads() where not ok), '^Message 2 does not fit',
  'with what is wrong'
);
create function pg_temp.page(p_owner text, p_batch int, p_after_owner text, p_after_key text)
returns text[]
language sql
return array(
  select v.owner_user_id || '/' || v.state_key
  from pgthreads.verify_threads(p_owner, p_batch, p_after_owner, p_after_key) as v
);
select is(
  pg_temp.page(null, 4, null, null), array['alice/a', 'alice/b', 'alice/c', 'bob/a'], 'a page'
);
select is(pg_temp.page(null, 4, 'bob', 'a'), array['bob/b', 'bob/c'], 'the next');
select is(pg_temp.page(null, 4, 'bob', 'c'), array[]::text[], 'the end');
select is(pg_temp.page('bob', 2, null, null), array['bob/a', 'bob/b'], 'of one owner');
select is(pg_temp.page('bob', 2, 'bob', 'b'), array['bob/c'], 'the next');
select is(pg_temp.page('nobody', 2, null, null), array[]::text[], 'of one without threads');
select test.refuses(
  'select * from pgthreads.verify_threads(null, 0)', '22023', 'p_batch is 0.', null, 'no batch'
);

-- A page ends after 20,000 messages, and has at least one thread.
reset role;
update pgthreads.thread set message_count = 15000 where owner_user_id = 'alice';
set local role tap_operator;
select is(pg_temp.page(null, 100, null, null), array['alice/a', 'alice/b'], 'long threads');
set local role tap_server;
select throws_ok(
  'select * from pgthreads.verify_threads()', '42501',
  'permission denied for function verify_threads', 'it is not for servers'
);

select * from finish();
rollback;
