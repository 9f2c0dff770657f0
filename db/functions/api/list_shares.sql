-- The links that open a thread, the newest first: those that are neither revoked nor expired. There
-- are at most 100. None has its token. No rows if there is no such thread, or it is deleted.

create or replace function pgthreads.list_shares(p_owner_user_id text, p_state_key text)
returns table (
  share_id text,
  title text,
  head_seq int,
  created_at timestamptz,
  expires_at timestamptz
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
  perform pgthreads.require_read(p_owner_user_id, p_state_key, null, null);
  return query
    select s.share_id, s.title, s.head_seq, s.created_at,
      least(s.expires_at, s.created_at + c.max_share_age)
    from pgthreads.share as s
    cross join pgthreads.config as c
    where s.owner_user_id = p_owner_user_id
      and s.state_key = p_state_key
      and s.revoked_at is null
      and least(s.expires_at, s.created_at + c.max_share_age) > clock_timestamp()
      and exists (
        select
        from pgthreads.thread as t
        where t.owner_user_id = p_owner_user_id
          and t.state_key = p_state_key
          and t.deleted_at is null
      )
    order by s.created_at desc, s.share_id
    limit 100;
end;
$$;

comment on function pgthreads.list_shares(text, text) is
  'The links that open the thread, the newest first, without their tokens.';
revoke all on function pgthreads.list_shares(text, text) from public;
grant execute on function pgthreads.list_shares(text, text) to pgthreads_server;
