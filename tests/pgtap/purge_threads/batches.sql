-- A batch has at most p_batch threads, and ends after 10,000 messages; the threads that were
-- deleted first go first.
begin;
select plan(10);
\ir ../operators.psql

select test.thread('o' || i, 'k', 1, make_interval(days => 100 + i))
from generate_series(1, 5) as i \g /dev/null
select pgthreads.set_tenant('o5') \g /dev/null
insert into pgthreads.turn
  (owner_user_id, state_key, turn_id, status, lease_until, user_seq, finished_at)
values ('o5', 'k', 't', 'completed', now(), 1, now()), ('o5', 'k', 't2', 'failed', now(), 1, now());

set local role tap_operator;
select results_eq(
  'select threads, messages, turns, more from pgthreads.purge_threads(p_batch => 2)',
  'values (2, 2, 2, true)', 'a full batch, with its turns'
);
select is(test.left(), array['o1/k', 'o2/k', 'o3/k'], 'the longest deleted have gone');
select results_eq(
  'select threads, more from pgthreads.purge_threads(p_batch => 2)', 'values (2, true)', 'the next'
);
select results_eq(
  'select threads, more from pgthreads.purge_threads(p_batch => 2)', 'values (1, false)', 'the last'
);
select is(test.left(), array[]::text[], 'all have gone');
select is((select count(*)::int from pgthreads.message), 0, 'with their messages');
select is((select count(*)::int from pgthreads.turn), 0, 'and their turns');

reset role;
select test.thread('p' || i, 'k', 6000, make_interval(days => 100 - i))
from generate_series(1, 3) as i \g /dev/null
set local role tap_operator;
select results_eq(
  'select threads, messages, more from pgthreads.purge_threads()', 'values (2, 12000, true)',
  'long threads make a short batch'
);
select is(test.left(), array['p3/k'], 'whole threads go');
reset role;
select results_eq(
  'select threads, more from pgthreads.purge_threads()', 'values (1, false)',
  'a superuser purges as maintenance'
);

select * from finish();
rollback;
