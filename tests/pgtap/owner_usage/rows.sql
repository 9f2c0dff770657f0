begin;
select plan(3);
\ir ../operators.psql

select test.thread(o, k, n, d)
from (values ('alice', 'a', 3, null), ('alice', 'b', 1, interval '1 day'), ('bob', 'a', 0, null))
  as v (o, k, n, d) \g /dev/null

set local role tap_operator;
select results_eq(
  $$ select owner_user_id collate "default", threads, deleted_threads, messages
    from pgthreads.owner_usage order by owner_user_id $$,
  $$ values ('alice', 2::bigint, 1::bigint, 4::bigint), ('bob', 1, 0, 0) $$, 'all owners'
);
select results_eq(
  $$ select bytes from pgthreads.owner_usage order by owner_user_id $$,
  $$ values ((select sum(pg_column_size(message)) from pgthreads.message)), (0::bigint) $$,
  'with their bytes'
);
set local role tap_server;
select throws_ok(
  'select * from pgthreads.owner_usage', '42501', 'permission denied for view owner_usage',
  'they are not for servers'
);

select * from finish();
rollback;
