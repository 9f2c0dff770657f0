-- The owner's threads that have changed since a cursor of change_cursor(), in the state in which
-- they are now: those that began, grew, were renamed, archived or deleted, and those of which a
-- turn began or ended or an answer waits. A change that commits late is reported when it commits,
-- whatever its time is. The same change may be reported again while other transactions are in
-- progress: version tells whether a row was seen before.
--
-- If more than p_limit threads have changed, or if the cursor is not one of this cluster, there is
-- one row without a key, whose version is 'all': the caller lists the threads again. A thread that
-- was purged or erased is not reported.
--
-- A row version knows which transaction wrote it (xmin), so appends record nothing for this. Where
-- to look for such rows is known by recent_at, which is at most a minute behind an append, and for
-- all other changes by touched_xid. Takes no lock.

create or replace function pgthreads.changed_threads(
  p_owner_user_id text,
  p_cursor text,
  p_limit int default 100
)
returns table (
  state_key text,
  title text,
  message_count int,
  created_at timestamptz,
  updated_at timestamptz,
  running boolean,
  waiting boolean,
  deleted boolean,
  turn_id text,
  archived_at timestamptz,
  version text
)
language plpgsql
stable
rows 10
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_cursor constant bigint[] := pgthreads.read_cursor(p_cursor);
  v_horizon xid8;
  v_age bigint;
  v_from timestamptz;
  v_keys text[];
begin
  if not pgthreads.is_named_tenant(p_owner_user_id) then
    perform pgthreads.require_tenant(p_owner_user_id);
  end if;
  if p_limit is null or p_limit not between 1 and 1000 then
    raise exception 'not a number of threads' using
      errcode = 'invalid_parameter_value',
      detail = format('p_limit is %s.', coalesce(p_limit::text, 'null')),
      hint = 'Ask for 1 to 1000 threads.';
  end if;
  v_age := pg_snapshot_xmax(pg_current_snapshot())::text::bigint - v_cursor[1];
  -- Ids are compared as 32 bits, which is right for two thousand million transactions.
  if v_cursor is null or v_age > 1000000000 then
    version := 'all';
    return next;
    return;
  end if;
  v_horizon := v_cursor[1]::text::xid8;
  v_age := v_age + age(pg_snapshot_xmax(pg_current_snapshot())::xid);
  -- One minute for recent_at, and one for clocks that are set back.
  v_from := timestamptz 'epoch' + v_cursor[2] * interval '1 microsecond' - interval '2 minutes';
  select array_agg(c.state_key) into v_keys
  from (
    select t.state_key
    from pgthreads.thread as t
    where t.owner_user_id = p_owner_user_id
      and t.deleted_at is null
      and t.recent_at > v_from
      and age(t.xmin) <= v_age
    union all
    select t.state_key
    from pgthreads.thread as t
    where t.owner_user_id = p_owner_user_id
      and t.touched_xid >= v_horizon
      and (t.deleted_at is not null or t.recent_at <= v_from)
      and age(t.xmin) <= v_age
    limit p_limit + 1
  ) as c;
  if v_keys is null then
    return;
  end if;
  if cardinality(v_keys) > p_limit then
    version := 'all';
    return next;
    return;
  end if;
  return query
    select t.state_key, s.title, s.message_count, s.created_at, s.updated_at,
      n.turn_id is not null, s.open_since is not null and n.turn_id is null,
      t.deleted_at is not null, n.turn_id, s.archived_at, t.xmin::text
    from pgthreads.thread as t
    left join lateral (
      select t.title, t.message_count, t.created_at, t.updated_at, t.open_since, t.archived_at
      where t.deleted_at is null
    ) as s on true
    left join pgthreads.turn as n
      on n.owner_user_id = t.owner_user_id
      and n.state_key = t.state_key
      and n.status = 'running'
      and n.lease_until > clock_timestamp()
    where t.owner_user_id = p_owner_user_id and t.state_key = any (v_keys)
    order by age(t.xmin) desc, t.updated_at, t.state_key;
end;
$$;

comment on function pgthreads.changed_threads(text, text, int) is
  'The owner''s threads that have changed since a cursor, as they are now.';
revoke all on function pgthreads.changed_threads(text, text, int) from public;
grant execute on function pgthreads.changed_threads(text, text, int) to pgthreads_server;
