-- The seq that a thread's newest branch is shown up to. That is its last message; but while a turn
-- answers an earlier question again, and has stored nothing yet, it is that question. So readers
-- see the new answer in the place of the one before, as those do who watch it from its start. If no
-- answer comes, the last message is shown again. p_count is the thread's message_count.

create or replace function pgthreads.shown_head(
  p_owner_user_id text,
  p_state_key text,
  p_count int
)
returns int
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
  v_seq int;
begin
  select n.user_seq into v_seq
  from pgthreads.turn as n
  where n.owner_user_id = p_owner_user_id
    and n.state_key = p_state_key
    and n.status = 'running'
    and n.lease_until > clock_timestamp()
    and coalesce(n.begun_count, n.user_seq) = p_count;
  return coalesce(v_seq, p_count);
end;
$$;

comment on function pgthreads.shown_head(text, text, int) is
  'The seq that the newest branch is shown up to: its last message, or a question answered again.';
revoke all on function pgthreads.shown_head(text, text, int) from public;
