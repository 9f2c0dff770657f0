-- Counts and sizes for operators. Reads the headers of all threads, the running turns, the waiting
-- messages' tickets, the late answers and the answers that wait, but never messages. bytes are
-- those of the tables on disk, with their indexes, partitions and dead rows. Takes no lock.

create or replace function pgthreads.thread_stats()
returns table (
  owners bigint,
  threads bigint,
  deleted_threads bigint,
  due_threads bigint,
  messages bigint,
  running_turns bigint,
  dead_turns bigint,
  oldest_turn interval,
  thread_bytes bigint,
  message_bytes bigint,
  turn_bytes bigint,
  waiting_messages bigint,
  late_answers bigint,
  journal_bytes bigint,
  late_answer_bytes bigint,
  open_answers bigint,
  oldest_open_answer interval
)
language sql
stable
set search_path = pg_catalog, pg_temp
set role = 'pgthreads_maintenance'
as $$
  select h.*, r.*,
    s.bytes[1], s.bytes[2], s.bytes[3],
    (
      select count(*) from pgthreads.queued_turn as q where q.expires_at > clock_timestamp()
    ),
    (select count(*) from pgthreads.late_answer as l),
    s.bytes[4], s.bytes[5], o.*
  from (
    select
      count(distinct t.owner_user_id),
      count(*) filter (where t.deleted_at is null),
      count(*) filter (where t.deleted_at is not null),
      count(*) filter (
        where t.deleted_at <= clock_timestamp()
          - case when k.owner_user_id is null then c.purge_after else k.purge_after end
      ),
      coalesce(sum(t.message_count), 0)
    from pgthreads.config as c
    cross join pgthreads.thread as t
    left join pgthreads.retention as k on k.owner_user_id = t.owner_user_id
  ) as h
  cross join (
    select
      count(*),
      count(*) filter (where n.lease_until <= clock_timestamp()),
      max(clock_timestamp() - n.started_at)
    from pgthreads.turn as n
    where n.status = 'running'
  ) as r
  cross join (
    select count(*), max(clock_timestamp() - w.open_since)
    from pgthreads.open_answer as w
  ) as o
  cross join (
    select array_agg(
      coalesce(
        (select sum(pg_total_relation_size(p.relid)) from pg_partition_tree(c.oid) as p),
        pg_total_relation_size(c.oid)
      )::bigint
      order by array_position(
        array['thread', 'message', 'turn', 'journal', 'late_answer']::name[], c.relname)
    ) as bytes
    from pg_class as c
    where c.relnamespace = 'pgthreads'::regnamespace
      and c.relname in ('thread', 'message', 'turn', 'journal', 'late_answer')
  ) as s;
$$;

comment on function pgthreads.thread_stats() is
  'Threads, messages, turns, waiting messages and the sizes of the tables, across tenants.';
revoke all on function pgthreads.thread_stats() from public;
grant execute on function pgthreads.thread_stats() to pgthreads_maintenance;
