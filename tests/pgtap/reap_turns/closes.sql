-- It closes running turns whose lease ended long enough ago, and no others.
begin;
select plan(13);
\ir ../operators.psql

select test.thread('alice', k)
from unnest(array['dead', 'long_dead', 'running', 'ended']) as k \g /dev/null
insert into pgthreads.turn
  (owner_user_id, state_key, turn_id, status, lease_until, user_seq, finished_at)
values
  ('alice', 'dead', 't1', 'running', now() - interval '1 second', 1, null),
  ('alice', 'long_dead', 't2', 'running', now() - interval '10 minutes', 1, null),
  ('alice', 'running', 't3', 'running', now() + interval '1 minute', 1, null),
  ('alice', 'ended', 't4', 'completed', now() - interval '10 minutes', 1, now());

set local role tap_operator;
select results_eq(
  $$ select owner_user_id, state_key, turn_id, lease_until
    from pgthreads.reap_turns(p_grace => '5 minutes') $$,
  $$ values ('alice', 'long_dead', 't2', now() - interval '10 minutes') $$, 'those over the grace'
);
select results_eq(
  'select turn_id from pgthreads.reap_turns()', array['t1'], 'and without a grace all that are over'
);
select is_empty('select * from pgthreads.reap_turns()', 'once');
select results_eq(
  $$ select turn_id collate "default", status, finished_at is null
    from pgthreads.turn order by turn_id $$,
  $$ values ('t1', 'abandoned', false), ('t2', 'abandoned', false), ('t3', 'running', true),
    ('t4', 'completed', false) $$,
  'they are abandoned'
);
select is(
  (select bool_and(v.ok) from pgthreads.verify_threads() as v), true, 'threads are as they were'
);

-- The worker that seemed to be dead has lost its turn; another turn begins.
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select results_eq(
  $$ select alive from pgthreads.extend_turn('alice', 'dead', 't1') $$, array[false],
  'its heartbeat is told'
);
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'dead', test.messages(3, 3), null, 't1') $$, 'THLST',
  null, null, 'and its answer refused'
);
select results_eq(
  $$ select outcome from pgthreads.begin_turn('alice', 'dead', test.message('u'), 't5') $$,
  array['started'], 'another turn begins'
);

-- Batches.
reset role;
update pgthreads.turn set lease_until = now() - interval '1 minute' * seq
from (values ('t3', 1), ('t5', 2)) as v (id, seq) where turn_id = v.id;
set local role tap_operator;
select results_eq('select turn_id from pgthreads.reap_turns(1)', array['t5'], 'the longest dead');
select results_eq('select turn_id from pgthreads.reap_turns(1)', array['t3'], 'and then the next');
select test.refuses(
  'select * from pgthreads.reap_turns(0)', '22023', 'p_batch is 0.', null, 'no batch'
);
select test.refuses(
  $$ select * from pgthreads.reap_turns(p_grace => '-1 second') $$, '22023',
  'p_grace is -00:00:01.', null, 'a grace before the end'
);
set local role tap_server;
select throws_ok(
  'select * from pgthreads.reap_turns()', '42501', 'permission denied for function reap_turns',
  'it is not for servers'
);

select * from finish();
rollback;
