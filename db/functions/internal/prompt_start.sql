-- The seq that a turn's history begins with, in the usual case: the thread has no branches, and all
-- messages from p_first_seq to p_head_seq fit into p_max_bytes. Where older messages are left out
-- the history begins with a user's message. No row in any other case: prompt_history() knows those.
--
-- BOUNDED_WORK: p_first_seq may be some hundreds before p_head_seq; of a longer window
-- prompt_history() reads what fits. p_first_seq is an argument, because an expression that can fail
-- is no index condition under row level security. The planner puts this query in the place of its
-- call, which it does for no function with a search_path of its own.

create or replace function pgthreads.prompt_start(
  p_owner_user_id text,
  p_state_key text,
  p_first_seq int,
  p_head_seq int,
  p_max_bytes bigint
)
returns table (seq int)
language sql
stable
rows 1
as $$
  select case
    when p_first_seq operator(pg_catalog.=) 1 then 1
    else coalesce(
      (
        select m.seq
        from pgthreads.message as m
        where m.owner_user_id operator(pg_catalog.=) p_owner_user_id
          and m.state_key operator(pg_catalog.=) p_state_key
          and m.seq operator(pg_catalog.>=) p_first_seq
          and m.seq operator(pg_catalog.<=) p_head_seq
          and m.message operator(pg_catalog.->>) 'role' operator(pg_catalog.=) 'user'
        order by m.seq
        limit 1
      ),
      p_first_seq)
  end
  where p_head_seq operator(pg_catalog.-) p_first_seq operator(pg_catalog.<) 500
    and not exists (
      select
      from pgthreads.message as m
      where m.owner_user_id operator(pg_catalog.=) p_owner_user_id
        and m.state_key operator(pg_catalog.=) p_state_key
        and m.parent_seq is not null
    )
    and (
      -- A message that does not know its bytes is older than that column.
      select pg_catalog.count(*) operator(pg_catalog.=) pg_catalog.count(m.bytes)
        and pg_catalog.sum(m.bytes) operator(pg_catalog.<=) p_max_bytes
      from (
        select m.bytes
        from pgthreads.message as m
        where m.owner_user_id operator(pg_catalog.=) p_owner_user_id
          and m.state_key operator(pg_catalog.=) p_state_key
          and m.seq operator(pg_catalog.>=) p_first_seq
          and m.seq operator(pg_catalog.<=) p_head_seq
        -- The order keeps this a range of the primary key.
        order by m.seq
        offset 0
      ) as m
    );
$$;

comment on function pgthreads.prompt_start(text, text, int, int, bigint) is
  'The seq that the history of a turn begins with, where the thread is linear and all of it fits.';
revoke all on function pgthreads.prompt_start(text, text, int, int, bigint) from public;
