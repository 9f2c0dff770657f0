-- It purges turns that finished, and late answers that were kept, longer ago than config says. It
-- purges nothing younger, no running turn, and nothing of an owner on hold, and usage stays.
begin;
select plan(19);
\ir ../operators.psql

-- A turn of p_owner that finished so long ago; null: it runs.
create function test.turn(
  p_owner text, p_id text, p_ago interval, p_usage jsonb default null,
    p_status text default 'completed'
)
returns void
language plpgsql
as $$
begin
  if not exists (select from pgthreads.thread as t where t.owner_user_id = p_owner) then
    perform test.thread(p_owner, 'k', 1);
  end if;
  insert into pgthreads.turn (owner_user_id, state_key, turn_id, status, lease_until, user_seq,
    usage,
    started_at, finished_at)
  values (p_owner, 'k', p_id, case when p_ago is null then 'running' else p_status end, now(), 1,
    p_usage, '2026-03-31 23:30:00+00', clock_timestamp() - p_ago);
  insert into pgthreads.late_answer (owner_user_id, state_key, turn_id, message, bytes, reason,
    created_at)
  values (p_owner, 'k', p_id, '{}', 2, 'turn_lost', clock_timestamp() - coalesce(p_ago, '0'));
end;
$$;
create function test.turns()
returns text[]
language sql
security definer
set search_path = pg_catalog
return array(
  select n.owner_user_id || '/' || n.turn_id
  from pgthreads.turn as n
  order by n.owner_user_id, n.turn_id
);

select test.turn(o, i, a, u, s)
from (values
  ('ann', 'd89', interval '89 days 23:59', jsonb '{"inputTokens": 1}', 'completed'),
  ('ann', 'd91', '90 days 00:01', '{"inputTokens": 10, "model": "m", "cost": 0.5}', 'completed'),
  ('ann', 'd92', '92 days', '{"inputTokens": 100, "more": {"a": 1}, "huge": 1e300}', 'stopped'),
  ('ann', 'd93', '93 days', '[1]', 'failed'),
  ('ann', 'd94', '94 days', null, 'abandoned'),
  ('ann', 'runs', null, null, null),
  ('bob', 'd91', '91 days', '{"outputTokens": 7}', 'completed'),
  ('bob', 'd400', '400 days', '{"outputTokens": 7}', 'completed'),
  ('hold', 'd4000', '4000 days', '{"outputTokens": 7}', 'completed')
) as v (o, i, a, u, s) \g /dev/null

set local role tap_operator;
insert into pgthreads.retention (owner_user_id, purge_after) values ('hold', null);
select results_eq(
  $$ select turns, late_answers, more from pgthreads.purge_turns('1000 days') $$,
  'values (0, 0, false)', 'nothing is as old as asked for'
);
select results_eq(
  $$ select turns, late_answers, more from pgthreads.purge_turns('100 days') $$,
  'values (1, 1, false)', 'longer than the policy'
);
select is(
  test.turns(),
  array['ann/d89', 'ann/d91', 'ann/d92', 'ann/d93', 'ann/d94', 'ann/runs', 'bob/d91', 'hold/d4000'],
  'the turn of 400 days has gone'
);
select results_eq(
  $$ select turns, late_answers, more from pgthreads.purge_turns('0', 2) $$,
  'values (2, 2, true)', 'an age below the policy does not count; a full batch'
);
select is(
  test.turns(), array['ann/d89', 'ann/d91', 'ann/d92', 'ann/runs', 'bob/d91', 'hold/d4000'],
  'the oldest go first'
);
select results_eq(
  $$ select turns, late_answers, more from pgthreads.purge_turns() $$,
  'values (3, 3, false)', 'the others'
);
select is(
  test.turns(), array['ann/d89', 'ann/runs', 'hold/d4000'],
  'what is young, runs or is on hold stays'
);
select results_eq(
  $$ select (owner_user_id || '/' || turn_id) collate "default"
    from pgthreads.late_answer order by 1 $$,
  $$ values ('ann/d89'), ('ann/runs'), ('hold/d4000') $$, 'of late answers, too'
);
select results_eq(
  $$ select owner_user_id collate "default", month, turns, usage
    from pgthreads.usage_total order by owner_user_id $$,
  $$ values ('ann', date '2026-03-01', 4::bigint, jsonb '{"inputTokens": 110, "cost": 0.5}'),
    ('bob', '2026-03-01', 2, '{"outputTokens": 14}') $$,
  'numbers are added up by month of UTC; what is no number, or too large for one, is not'
);
select results_eq(
  $$ select owner_user_id collate "default", turns, usage
    from pgthreads.owner_usage order by owner_user_id $$,
  $$ values ('ann', 5::bigint, jsonb '{"inputTokens": 111, "cost": 0.5}'),
    ('bob', 2, '{"outputTokens": 14}'), ('hold', 1, '{"outputTokens": 7}') $$,
  'owner_usage has them with those that are left'
);
select results_eq(
  $$ select turns, late_answers, more from pgthreads.purge_turns() $$, 'values (0, 0, false)',
  'again: nothing'
);
delete from pgthreads.retention;
select results_eq('select turns from pgthreads.purge_turns()', array[1], 'a hold that ended');
reset role;
update pgthreads.config set turns_kept = null, late_answers_kept = '0';
set local role tap_operator;
select results_eq(
  $$ select turns, late_answers from pgthreads.purge_turns('0') $$, 'values (0, 2)',
  'turns for ever, late answers not at all'
);
select results_eq('select turns from pgthreads.purge_turns(p_batch => 1)', array[0], 'for ever');
reset role;
select throws_ok(
  $$ update pgthreads.config set turns_kept = '1 hour' $$, '23514', null,
  'a repeated call has to find its turn'
);

-- The usage of a purged thread's turns stays; of an erased owner nothing stays.
update pgthreads.thread set deleted_at = now() - interval '1 year' where owner_user_id = 'ann';
set local role tap_operator;
select results_eq('select threads, turns from pgthreads.purge_threads()', 'values (1, 2)',
  'a thread');
select results_eq(
  $$ select turns, usage from pgthreads.usage_total where owner_user_id = 'ann' $$,
  $$ values (5::bigint, jsonb '{"inputTokens": 111, "cost": 0.5}') $$, 'its usage stays'
);
select pgthreads.erase_owner('ann') \g /dev/null
select is_empty(
  $$ select from pgthreads.usage_total where owner_user_id = 'ann' $$, 'but for who is erased'
);
set local role tap_server;
select throws_ok(
  'select * from pgthreads.purge_turns()', '42501', 'permission denied for function purge_turns',
  'it is not for servers'
);

select * from finish();
rollback;
