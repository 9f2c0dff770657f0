-- The open answer of a thread for its readers: they show the thread up to the question user_seq,
-- and behind that message, with the seq that it will have when it is appended. While a turn
-- continues it they show the question alone, as while any turn runs, for the answer comes in the
-- stream: then digest and message are null. message is null as well where it is outside of the
-- window that ends before p_before_seq. No row if the thread has no open answer, or if p_leaf_id is
-- another message. p_count is the thread's message_count.

create or replace function pgthreads.shown_answer(
  p_owner_user_id text,
  p_state_key text,
  p_count int,
  p_before_seq int,
  p_leaf_id text
)
returns table (user_seq int, seq int, message json, digest bytea)
language plpgsql
stable
rows 1
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
begin
  return query
    select o.user_seq, p_count + 1,
      case when s.shown and coalesce(p_before_seq > p_count + 1, true) then o.message end,
      case when s.shown then o.digest end
    from pgthreads.open_answer as o
    cross join lateral (
      select not exists (
        select
        from pgthreads.turn as n
        where n.owner_user_id = p_owner_user_id
          and n.state_key = p_state_key
          and n.status = 'running'
          and n.lease_until > clock_timestamp()
      ) as shown
    ) as s
    where o.owner_user_id = p_owner_user_id
      and o.state_key = p_state_key
      and coalesce(o.message_id = p_leaf_id, true);
end;
$$;

comment on function pgthreads.shown_answer(text, text, int, int, text) is
  'The open answer of a thread as its readers show it, and the seq of its question.';
revoke all on function pgthreads.shown_answer(text, text, int, int, text) from public;
