-- Ends a link to a thread, at once and for good. False if the owner has no such link. Revoking it
-- twice is no error. Locks: the link's row.

create or replace function pgthreads.revoke_share(
  p_owner_user_id text,
  p_state_key text,
  p_share_id text
)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
begin
  perform pgthreads.require_read(p_owner_user_id, p_state_key, null, null);
  update pgthreads.share as s
  set revoked_at = coalesce(s.revoked_at, clock_timestamp())
  where s.owner_user_id = p_owner_user_id
    and s.state_key = p_state_key
    and s.share_id = p_share_id;
  return found;
end;
$$;

comment on function pgthreads.revoke_share(text, text, text) is
  'Ends a link to the thread; false if there is no such link.';
revoke all on function pgthreads.revoke_share(text, text, text) from public;
grant execute on function pgthreads.revoke_share(text, text, text) to pgthreads_server;
