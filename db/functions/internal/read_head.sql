-- Where a read of a thread begins: the seq that its newest branch is shown up to, whether a read
-- takes all messages up to there, because no branch is asked for and the thread has none, and
-- whether the thread has an open answer, which shown_answer() knows. No row if there is no such
-- thread, or it is deleted.
--
-- For the functions that read a thread. The planner puts this query in the place of its call, which
-- it does for no function with a search_path of its own, and leaves out the columns that a caller
-- does not use. So sharing it costs them nothing.

create or replace function pgthreads.read_head(
  p_owner_user_id text,
  p_state_key text,
  p_leaf_id text
)
returns table (head_seq int, is_linear boolean, message_count int, head_digest bytea,
  is_open boolean)
language sql
stable
rows 1
as $$
  select h.seq,
    p_leaf_id is null and not exists (
      select
      from pgthreads.message as m
      where m.owner_user_id operator(pg_catalog.=) p_owner_user_id
        and m.state_key operator(pg_catalog.=) p_state_key
        and m.parent_seq is not null
    ),
    t.message_count,
    t.head_digest,
    t.open_since is not null
  from pgthreads.thread as t
  cross join lateral pgthreads.shown_head(p_owner_user_id, p_state_key, t.message_count) as h (seq)
  where t.owner_user_id operator(pg_catalog.=) p_owner_user_id
    and t.state_key operator(pg_catalog.=) p_state_key
    and t.deleted_at is null;
$$;

comment on function pgthreads.read_head(text, text, text) is
  'The seq that a read of a thread ends with, and whether the thread has no branches.';
revoke all on function pgthreads.read_head(text, text, text) from public;
