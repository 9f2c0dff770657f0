-- Says in words who holds the advisory lock with two keys in this database. Any login can take such
-- a lock, so a function that waits for one in vain names who holds it.

create or replace function pgthreads.lock_holders(p_class int, p_key int)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return coalesce((
    select string_agg(format('process %s of role %s (%s)', a.pid, a.usename,
      coalesce(nullif(a.application_name, ''), 'no name')), ', ' order by a.pid)
    from pg_locks as l
    join pg_stat_activity as a on a.pid = l.pid
    where l.locktype = 'advisory'
      and l.granted
      and l.database = (select d.oid from pg_database as d where d.datname = current_database())
      and l.classid::bigint = p_class::bigint & 4294967295
      and l.objid::bigint = p_key::bigint & 4294967295
      and l.objsubid = 2
      and l.pid <> pg_backend_pid()
  ), 'a session that has ended meanwhile');
end;
$$;

comment on function pgthreads.lock_holders(int, int) is
  'Says in words which sessions hold the advisory lock with these two keys.';
revoke all on function pgthreads.lock_holders(int, int) from public;
grant execute on function pgthreads.lock_holders(int, int) to pgthreads_maintenance;
