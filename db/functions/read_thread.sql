-- A thread with its header: what a page needs to show it, in one round trip. No row for a thread that
-- does not exist or is deleted. With p_known_digest, messages is null if that is still the digest of
-- the last message: the caller has them. earlier_seq is the p_before_seq of the window before this one,
-- null if this one starts at the thread's beginning.

create or replace function pgthreads.read_thread(
  p_owner_user_id text,
  p_state_key text,
  p_last int default null,
  p_before_seq int default null,
  p_known_digest text default null,
  p_leaf_id text default null
)
returns table (
  state_key text,
  title text,
  message_count int,
  metadata jsonb,
  created_at timestamptz,
  updated_at timestamptz,
  digest text,
  messages json,
  earlier_seq int
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
begin
  if not pgthreads.is_named_tenant(p_owner_user_id) then
    perform pgthreads.require_tenant(p_owner_user_id);
  end if;
  perform pgthreads.require_state_key(p_state_key);
  perform pgthreads.require_window(p_last, p_before_seq);
  return query
    select t.state_key, t.title, t.message_count, t.metadata, t.created_at, t.updated_at,
      encode(t.head_digest, 'hex'),
      case
        when encode(t.head_digest, 'hex') is distinct from p_known_digest
          then pgthreads.load_thread(
            t.owner_user_id, t.state_key, p_last, p_before_seq, p_leaf_id)
      end,
      (
        select case when coalesce(m.parent_seq, m.seq - 1) > 0 then m.seq end
        from pgthreads.message as m
        where m.owner_user_id = t.owner_user_id
          and m.state_key = t.state_key
          and m.seq = (
            select min(r.first_seq)
            from pgthreads.branch_ranges(
              t.owner_user_id, t.state_key,
              pgthreads.branch_head(t.owner_user_id, t.state_key, p_leaf_id), p_last,
              p_before_seq) as r
          )
      )
    from pgthreads.thread as t
    where t.owner_user_id = p_owner_user_id
      and t.state_key = p_state_key
      and t.deleted_at is null;
end;
$$;

comment on function pgthreads.read_thread(text, text, int, int, text, text) is
  'The thread''s header with its UIMessage[] as one json value; no row if there is none.';
revoke all on function pgthreads.read_thread(text, text, int, int, text, text) from public;
grant execute on function pgthreads.read_thread(text, text, int, int, text, text) to pgthreads_server;
