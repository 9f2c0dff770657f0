-- A thread's branches by their leaves, the newest first. leaf_id is what load_thread takes as
-- p_leaf_id. Where other messages continue the last message of a run, that run is a part of their
-- branches and not a branch itself. BOUNDED_WORK: a branch is as long as its own run and the branch
-- that it continues, so the time grows with the number of branches.

create or replace function pgthreads.list_branches(p_owner_user_id text, p_state_key text)
returns table (leaf_id text, leaf_seq int, created_at timestamptz, message_count int)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_sort = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_head int;
  -- The thread is cut into runs of messages that continue each other. Of each run these are where
  -- it begins, what it continues, in which run that is, and how many messages its branch has before
  -- it.
  v_starts int[];
  v_parents int[];
  v_before int[] := array[]::int[];
  v_runs int[];
  v_run int;
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  perform pgthreads.require_state_key(p_state_key);
  v_head := pgthreads.branch_head(p_owner_user_id, p_state_key, null);
  if coalesce(v_head, 0) = 0 then
    return;
  end if;
  -- The message that a run continues belongs to the last run that begins no later than it.
  select b.starts, b.parents, array(
    select width_bucket(p.seq, b.starts)
    from unnest(b.parents) with ordinality as p (seq, place)
    order by p.place
  )
  into strict v_starts, v_parents, v_runs
  from (
    select array_agg(a.seq order by a.seq) as starts,
      array_agg(a.parent_seq order by a.seq) as parents
    from (
      select 1 as seq, 0 as parent_seq
      union all
      select m.seq, m.parent_seq
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.parent_seq is not null
        and m.seq > 1
    ) as a
  ) as b;
  for v_place in 1..cardinality(v_starts) loop
    v_run := v_runs[v_place];
    v_before[v_place] := case
      when v_run = 0 then 0
      else v_before[v_run] + v_parents[v_place] - v_starts[v_run] + 1
    end;
  end loop;
  return query
    select m.message_id, m.seq, m.created_at, e.before + e.seq - e.start + 1
    from (
      select r.start, r.before, lead(r.start, 1, v_head + 1) over (order by r.start) - 1 as seq
      from unnest(v_starts, v_before) as r (start, before)
    ) as e
    -- The range, the order and enable_sort keep this a look at the primary key for each leaf, also
    -- where the planner takes threads to be short, so that any index is as good.
    cross join lateral (
      select m.message_id, m.seq, m.created_at
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.seq between e.seq and e.seq
      order by m.seq
      limit 1
    ) as m
    -- PostgreSQL hashes this list, so each leaf costs one look.
    where e.seq not in (select p.seq from unnest(v_parents) as p (seq))
    order by m.seq desc;
end;
$$;

comment on function pgthreads.list_branches(text, text) is
  'The last message of each branch of the thread, the newest first, and how long the branch is.';
revoke all on function pgthreads.list_branches(text, text) from public;
grant execute on function pgthreads.list_branches(text, text) to pgthreads_server;
