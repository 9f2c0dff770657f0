-- Trigger of turn: adds what removed turns have used to usage_total. So it is kept whichever way
-- turns are removed: by purge_turns, by purge_threads or by hand. erase_owner removes the totals as
-- well. Locks: the owners' rows of usage_total, in the order of their keys.

create or replace function pgthreads.keep_usage()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into pgthreads.usage_total as u (owner_user_id, month, turns, usage)
  select
    t.owner_user_id, t.month, t.turns,
    coalesce(jsonb_object_agg(s.name, s.total) filter (where s.name is not null), '{}')
  from (
    select n.owner_user_id, date_trunc('month', n.started_at at time zone 'UTC')::date as month,
      count(*) as turns
    from removed_turns as n
    where n.status <> 'running'
    group by 1, 2
  ) as t
  left join (
    select n.owner_user_id, date_trunc('month', n.started_at at time zone 'UTC')::date as month,
      e.key as name, sum(e.value::numeric) as total
    from removed_turns as n
    cross join lateral jsonb_each(
      case when jsonb_typeof(n.usage) = 'object' then n.usage else '{}' end) as e
    where n.status <> 'running'
      -- If a sum overflowed, these turns could never be removed.
      and case when jsonb_typeof(e.value) = 'number' then abs(e.value::numeric) < 1e15 end
    group by 1, 2, 3
  ) as s on s.owner_user_id = t.owner_user_id and s.month = t.month
  group by t.owner_user_id, t.month, t.turns
  order by t.owner_user_id, t.month
  on conflict (owner_user_id, month) do update
  set turns = u.turns + excluded.turns,
    usage = (
      select coalesce(jsonb_object_agg(a.name, a.total), '{}')
      from (
        select e.key as name, sum(e.value::numeric) as total
        from (
          select * from jsonb_each(u.usage)
          union all
          select * from jsonb_each(excluded.usage)
        ) as e
        group by e.key
      ) as a
    );
  return null;
end;
$$;

comment on function pgthreads.keep_usage() is
  'Trigger of turn: adds what removed turns have used to usage_total.';
revoke all on function pgthreads.keep_usage() from public;
