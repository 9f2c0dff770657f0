-- The seq of the newest answer to a question, null if it has none: the last assistant message of
-- those that continue the question. These are the message after it, unless that one continues
-- another message, and the messages that branch off from it. Because of the order and the limits,
-- only the newest ones are read.

create or replace function pgthreads.newest_answer(
  p_owner_user_id text,
  p_state_key text,
  p_question_seq int
)
returns int
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
begin
  return (
    select m.seq
    from (
      select b.seq
      from pgthreads.message as b
      where b.owner_user_id = p_owner_user_id
        and b.state_key = p_state_key
        and b.parent_seq = p_question_seq
      union all
      select p_question_seq + 1
    ) as c (seq)
    cross join lateral (
      select m.seq
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.seq between c.seq and c.seq
        and coalesce(m.parent_seq, m.seq - 1) = p_question_seq
        and m.message ->> 'role' = 'assistant'
      order by m.seq
      limit 1
    ) as m
    order by c.seq desc
    limit 1
  );
end;
$$;

comment on function pgthreads.newest_answer(text, text, int) is
  'The seq of the newest answer to a question; null if it has none.';
revoke all on function pgthreads.newest_answer(text, text, int) from public;
