-- A number that names the history of transaction ids in which this server is. PostgreSQL resets
-- these statistics when it recovers from a crash, which may have undone transactions that were not
-- flushed; their ids are given out again. A standby, a restored dump and a copy have other ones.
-- Somebody who resets them by hand only makes clients load their lists again.

create or replace function pgthreads.cluster_history()
returns bigint
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select (extract(epoch from pg_stat_get_bgwriter_stat_reset_time()) * 1000000)::bigint;
$$;

comment on function pgthreads.cluster_history() is
  'Names the history of transaction ids: it changes after a crash and in every other cluster.';
revoke all on function pgthreads.cluster_history() from public;
