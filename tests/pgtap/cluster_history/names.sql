begin;
select plan(3);
\ir ../helpers.psql

select pgthreads.cluster_history() as history \gset
select ok(:'history'::bigint > 0, 'a number');
select pg_stat_reset_shared('bgwriter') \g /dev/null
select pg_sleep(0.01) \g /dev/null
select pg_stat_clear_snapshot() \g /dev/null
select isnt(pgthreads.cluster_history(), :'history'::bigint, 'it changes with the statistics');
select is(
  (select max(c.cursor) from (select pgthreads.change_cursor()) as c (cursor)
    where c.cursor like '%.' || :'history'), null, 'and cursors with it'
);

select * from finish();
rollback;
