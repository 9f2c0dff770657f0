-- The seq that a read ends with: that of the leaf that is asked for, or otherwise that of the
-- thread's last message, with which the newest branch ends. Null if there is no such thread, or it
-- is deleted.

create or replace function pgthreads.branch_head(
  p_owner_user_id text,
  p_state_key text,
  p_leaf_id text
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
  v_head int;
begin
  select t.message_count into v_head
  from pgthreads.thread as t
  where t.owner_user_id = p_owner_user_id
    and t.state_key = p_state_key
    and t.deleted_at is null;
  if p_leaf_id is null or v_head is null then
    return v_head;
  end if;
  select m.seq into v_head
  from pgthreads.message as m
  where m.owner_user_id = p_owner_user_id
    and m.state_key = p_state_key
    and m.message_id = p_leaf_id;
  if not found then
    raise exception 'no such message' using
      errcode = 'THNON',
      detail = format('Thread %s has no message %L.', p_state_key, left(p_leaf_id, 256)),
      hint = 'Look for it with list_branches, which shows the last message of each branch.';
  end if;
  return v_head;
end;
$$;

comment on function pgthreads.branch_head(text, text, text) is
  'The seq of the leaf, or of the thread''s last message; null if there is no such thread.';
revoke all on function pgthreads.branch_head(text, text, text) from public;
