-- An owner's threads, the one with the latest append first, page by page: the last row of a page
-- has a next_cursor if there are more threads, and the next call passes it as p_cursor. Reads
-- headers and running turns, never messages. Archived threads are left out, unless p_archived asks
-- for these alone (true) or for all (null).
--
-- The index is on recent_at, which an append moves only if it is a minute old. So a page is looked
-- up in two steps. First, as many threads as the page needs are read in the order of recent_at;
-- since no thread's updated_at is before its recent_at, they tell how far back the page can reach.
-- Then the threads are read whose recent_at is at most a minute before that, because no others can
-- belong to the page. Archived threads have an index of their own, so each step is two queries, of
-- which those that p_archived excludes are not run. Each has its own order and limit, because
-- PostgreSQL does not carry those of the whole into them, and would read all threads of the owner.

create or replace function pgthreads.list_threads(
  p_owner_user_id text,
  p_limit int default 50,
  p_cursor text default null,
  p_archived boolean default false
)
returns table (
  state_key text,
  title text,
  message_count int,
  metadata jsonb,
  created_at timestamptz,
  updated_at timestamptz,
  running boolean,
  next_cursor text,
  waiting boolean,
  archived_at timestamptz
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_cursor text[] := regexp_match(p_cursor, '^([0-9]{1,18})[.]([a-zA-Z0-9_-]{1,128})$');
  -- This is a variable because row level security lets no expression that can fail be an index
  -- condition.
  v_updated_at timestamptz := coalesce(
    timestamptz 'epoch' + make_interval(secs => v_cursor[1]::bigint / 1000000)
      + (v_cursor[1]::bigint % 1000000) * interval '1 microsecond',
    'infinity');
  v_recent_from timestamptz;
begin
  if not pgthreads.is_named_tenant(p_owner_user_id) then
    perform pgthreads.require_tenant(p_owner_user_id);
  end if;
  if p_limit is null or p_limit not between 1 and 200 then
    raise exception 'not a page size' using
      errcode = 'invalid_parameter_value',
      detail = format('p_limit is %s.', coalesce(p_limit::text, 'null')),
      hint = 'Ask for 1 to 200 threads.';
  end if;
  if p_cursor is not null and v_cursor is null then
    raise exception 'not a cursor of list_threads' using
      errcode = 'invalid_parameter_value',
      detail = format('p_cursor is %L.', left(p_cursor, 160)),
      hint = 'Pass the next_cursor of the previous page, or null for the first page.';
  end if;
  select min(r.recent_at) - interval '1 minute' into v_recent_from
  from (
    select a.recent_at
    from (
      (
        select t.recent_at
        from pgthreads.thread as t
        where p_archived is not true
          and t.owner_user_id = p_owner_user_id
          and t.deleted_at is null
          and t.archived_at is null
          and t.recent_at <= v_updated_at
          and t.updated_at <= v_updated_at
          and (t.updated_at < v_updated_at or t.state_key < v_cursor[2])
        order by t.recent_at desc
        limit p_limit + 1
      )
      union all
      (
        select t.recent_at
        from pgthreads.thread as t
        where p_archived is not false
          and t.owner_user_id = p_owner_user_id
          and t.deleted_at is null
          and t.archived_at is not null
          and t.recent_at <= v_updated_at
          and t.updated_at <= v_updated_at
          and (t.updated_at < v_updated_at or t.state_key < v_cursor[2])
        order by t.recent_at desc
        limit p_limit + 1
      )
    ) as a
    order by a.recent_at desc
    limit p_limit + 1
  ) as r
  having count(*) > p_limit;
  v_recent_from := coalesce(v_recent_from, '-infinity');
  return query
    select p.state_key, p.title, p.message_count, p.metadata, p.created_at, p.updated_at,
      r.running,
      case
        when p.place = p_limit and p.has_next then format('%s.%s',
          (extract(epoch from p.updated_at) * 1000000)::bigint, p.state_key)
      end,
      p.open_since is not null and not r.running, p.archived_at
    from (
      select a.*, row_number() over newest as place,
        lead(true, 1, false) over newest as has_next
      from (
        select t.*
        from pgthreads.thread as t
        where p_archived is not true
          and t.owner_user_id = p_owner_user_id
          and t.deleted_at is null
          and t.archived_at is null
          and t.recent_at > v_recent_from
          and t.recent_at <= v_updated_at
        union all
        select t.*
        from pgthreads.thread as t
        where p_archived is not false
          and t.owner_user_id = p_owner_user_id
          and t.deleted_at is null
          and t.archived_at is not null
          and t.recent_at > v_recent_from
          and t.recent_at <= v_updated_at
      ) as a
      where a.updated_at <= v_updated_at
        and (a.updated_at < v_updated_at or a.state_key < v_cursor[2])
      window newest as (order by a.updated_at desc, a.state_key desc)
      order by a.updated_at desc, a.state_key desc
      limit p_limit + 1
    ) as p
    cross join lateral (
      select exists (
        select
        from pgthreads.turn as n
        where n.owner_user_id = p.owner_user_id
          and n.state_key = p.state_key
          and n.status = 'running'
          and n.lease_until > clock_timestamp()
      ) as running
    ) as r
    where p.place <= p_limit
    order by p.place;
end;
$$;

comment on function pgthreads.list_threads(text, int, text, boolean) is
  'A page of the owner''s threads, the one with the latest append first, without their messages.';
revoke all on function pgthreads.list_threads(text, int, text, boolean) from public;
grant execute on function pgthreads.list_threads(text, int, text, boolean) to pgthreads_server;
