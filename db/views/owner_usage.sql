-- Threads, messages, bytes and turns of each owner, for operators. For the owners that are asked
-- for, this reads the row of every message, but not its body, and the row of every turn. bytes are
-- those of the stored messages, after compression. The turns and what they used include turns that
-- have been removed already (usage_total).

create or replace view pgthreads.owner_usage
with (security_invoker = true)
as
select
  t.owner_user_id,
  count(*) as threads,
  count(t.deleted_at) as deleted_threads,
  sum(t.message_count) as messages,
  coalesce(
    (
      select sum(pg_column_size(m.message))
      from pgthreads.message as m
      where m.owner_user_id = t.owner_user_id
    ),
    0
  ) as bytes,
  max(t.updated_at) as updated_at,
  (
    select count(*)
    from pgthreads.turn as n
    where n.owner_user_id = t.owner_user_id and n.status <> 'running'
  ) + coalesce(
    (
      select sum(u.turns)
      from pgthreads.usage_total as u
      where u.owner_user_id = t.owner_user_id
    ),
    0
  )::bigint as turns,
  (
    select coalesce(jsonb_object_agg(a.name, a.total), '{}')
    from (
      select e.key as name, sum(e.value::numeric) as total
      from (
        select n.usage
        from pgthreads.turn as n
        where n.owner_user_id = t.owner_user_id and n.status <> 'running'
        union all
        select u.usage
        from pgthreads.usage_total as u
        where u.owner_user_id = t.owner_user_id
      ) as s
      cross join lateral jsonb_each(
        case when jsonb_typeof(s.usage) = 'object' then s.usage else '{}' end) as e
      where case when jsonb_typeof(e.value) = 'number' then abs(e.value::numeric) < 1e18 end
      group by e.key
    ) as a
  ) as usage
from pgthreads.thread as t
group by t.owner_user_id;

comment on view pgthreads.owner_usage is
  'Threads, messages, stored bytes, turns and their usage of each owner; for maintenance.';
revoke all on pgthreads.owner_usage from public, pgthreads_server;
grant select on pgthreads.owner_usage to pgthreads_maintenance;
