-- A thread is purged if it was deleted longer ago than the owner's retention says, or otherwise
-- config. Nothing younger is purged, whatever a call asks for.
begin;
select plan(14);
\ir ../operators.psql

select test.thread('alice', k, 2, d)
from (values
  ('live', null), ('d89', interval '89 days 23:59'), ('d91', interval '90 days 00:01'),
  ('now', interval '0')
) as v (k, d) \g /dev/null
select test.thread('short', k, 2, d)
from (values ('d1', interval '23:59'), ('d2', interval '2 days')) as v (k, d) \g /dev/null
select test.thread('long', k, 2, d)
from (values ('d91', interval '91 days'), ('d400', interval '400 days')) as v (k, d) \g /dev/null
select test.thread('hold', 'd4000', 2, interval '4000 days') \g /dev/null

set local role tap_operator;
insert into pgthreads.retention (owner_user_id, purge_after) values
  ('short', '1 day'), ('long', '1 year'), ('hold', null);
select results_eq(
  $$ select threads, messages, turns, bytes > 0, more from pgthreads.purge_threads('1000 days') $$,
  'values (0, 0, 0, false, false)', 'nothing is as old as asked for'
);
select is(cardinality(test.left()), 9, 'and nothing goes');
select results_eq(
  $$ select threads from pgthreads.purge_threads('100 days') $$, array[1],
  'longer than the policy'
);
select is(
  test.left(),
  array['alice/d89', 'alice/d91', 'alice/live', 'alice/now', 'hold/d4000', 'long/d91', 'short/d1',
    'short/d2'],
  'one has to be old enough by both'
);
select results_eq(
  $$ select threads, messages, bytes > 0 from pgthreads.purge_threads('0') $$,
  'values (2, 4, true)',
  'an age below the policy does not count'
);
select is(
  test.left(),
  array['alice/d89', 'alice/live', 'alice/now', 'hold/d4000', 'long/d91', 'short/d1'],
  'what each owner''s retention keeps is there'
);
select is(
  (select count(*)::int from pgthreads.message), 12, 'and their messages; the others have gone'
);
select results_eq('select threads from pgthreads.purge_threads()', array[0], 'again: nothing');
select test.refuses(
  $$ select * from pgthreads.purge_threads('-1 day') $$, '22023', 'p_deleted_before is -1 days.',
  null, 'the future'
);
delete from pgthreads.retention where owner_user_id in ('short', 'hold');
select results_eq(
  'select threads from pgthreads.purge_threads()', array[1], 'a hold that ended'
);
reset role;
update pgthreads.config set purge_after = '0';
set local role tap_operator;
select results_eq(
  'select threads from pgthreads.purge_threads()', array[3], 'config says at once'
);
select is(test.left(), array['alice/live', 'long/d91'], 'never what lives');
select test.refuses(
  'select * from pgthreads.purge_threads(p_batch => 0)', '22023', 'p_batch is 0.', null, 'no batch'
);
set local role tap_server;
select throws_ok(
  'select * from pgthreads.purge_threads()', '42501',
  'permission denied for function purge_threads', 'it is not for servers'
);

select * from finish();
rollback;
