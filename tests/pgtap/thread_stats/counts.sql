begin;
select plan(7);
\ir ../operators.psql

set local role tap_operator;
select results_eq(
  'select owners, threads, deleted_threads, due_threads, messages, running_turns, dead_turns,
    oldest_turn from pgthreads.thread_stats()',
  'values (0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint,
    null::interval)',
  'an empty database'
);
reset role;
select test.thread(o, k, 2, d)
from (values
  ('alice', 'a', null), ('alice', 'b', interval '91 days'), ('alice', 'c', interval '89 days'),
  ('bob', 'a', interval '2 days'), ('hold', 'a', interval '900 days')
) as v (o, k, d) \g /dev/null
select pgthreads.set_tenant('alice') \g /dev/null
select pgthreads.begin_turn('alice', 'a', test.message('u'), 't') \g /dev/null
select pgthreads.begin_turn('alice', 'x', test.message('u'), 't2') \g /dev/null
update pgthreads.turn set lease_until = now() where turn_id = 't';
insert into pgthreads.retention values ('bob', '1 day'), ('hold', null);

set local role tap_operator;
select results_eq(
  'select owners, threads, deleted_threads, due_threads, messages, running_turns, dead_turns,
    oldest_turn > ''0'' from pgthreads.thread_stats()',
  'values (3::bigint, 2::bigint, 4::bigint, 2::bigint, 12::bigint, 2::bigint, 1::bigint, true)',
  'counts'
);
select results_eq(
  'select due_threads from pgthreads.thread_stats()',
  'select threads::bigint from pgthreads.purge_threads()', 'due is what purge_threads removes'
);
select results_eq(
  'select thread_bytes, message_bytes, turn_bytes from pgthreads.thread_stats()',
  $$ values (pg_total_relation_size('pgthreads.thread'),
    pg_total_relation_size('pgthreads.message'), pg_total_relation_size('pgthreads.turn')) $$,
  'sizes'
);
reset role;
insert into pgthreads.open_answer
  (owner_user_id, state_key, turn_id, user_seq, message_id, message, digest, calls, open_since)
values ('alice', 'x', 't2', 1, 'm', '{}', sha256(''), '[]', now() - interval '1 day');
set local role tap_operator;
select results_eq(
  $$ select open_answers, oldest_open_answer between '1 day' and '2 days'
    from pgthreads.thread_stats() $$,
  'values (1::bigint, true)', 'answers that wait'
);
reset role;
select results_eq('select owners from pgthreads.thread_stats()', array[2::bigint], 'a superuser');
set local role tap_server;
select throws_ok(
  'select * from pgthreads.thread_stats()', '42501', 'permission denied for function thread_stats',
  'it is not for servers'
);

select * from finish();
rollback;
