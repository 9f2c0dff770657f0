-- A thread's branches by their last messages, the newest first: what load_thread takes as p_leaf_id.
-- A branch that others continue from its end is part of them and not listed.

create or replace function pgthreads.list_branches(p_owner_user_id text, p_state_key text)
returns table (leaf_id text, leaf_seq int, created_at timestamptz, message_count int)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  perform pgthreads.require_state_key(p_state_key);
  return query
    select m.message_id, m.seq, m.created_at,
      (
        select sum(r.last_seq - r.first_seq + 1)::int
        from pgthreads.branch_ranges(p_owner_user_id, p_state_key, m.seq) as r
      )
    from (
      -- Where a new branch begins, the one before it has ended; the last message ends the newest.
      select b.seq - 1 as seq
      from pgthreads.message as b
      where b.owner_user_id = p_owner_user_id
        and b.state_key = p_state_key
        and b.parent_seq is not null
      union
      select pgthreads.branch_head(p_owner_user_id, p_state_key, null)
    ) as e
    join pgthreads.message as m
      on m.owner_user_id = p_owner_user_id
      and m.state_key = p_state_key
      and m.seq = e.seq
    where pgthreads.branch_head(p_owner_user_id, p_state_key, null) is not null
      and not exists (
        select
        from pgthreads.message as c
        where c.owner_user_id = p_owner_user_id
          and c.state_key = p_state_key
          and c.parent_seq = m.seq
      )
    order by m.seq desc;
end;
$$;

comment on function pgthreads.list_branches(text, text) is
  'The last message of each branch of the thread, the newest first, and how long the branch is.';
revoke all on function pgthreads.list_branches(text, text) from public;
grant execute on function pgthreads.list_branches(text, text) to pgthreads_server;
