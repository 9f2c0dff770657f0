-- A thread without its messages, with the columns that list_threads has: what a page needs to name
-- a thread that is not on the page of the list that it has. No row if there is no such thread, or
-- it is deleted. Reads the header and the running turn, never messages.

create or replace function pgthreads.read_header(p_owner_user_id text, p_state_key text)
returns table (
  state_key text,
  title text,
  message_count int,
  metadata jsonb,
  created_at timestamptz,
  updated_at timestamptz,
  running boolean,
  waiting boolean,
  archived_at timestamptz
)
language plpgsql
stable
rows 1
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
begin
  if not pgthreads.is_plain_read(p_owner_user_id, p_state_key, null, null) then
    perform pgthreads.require_read(p_owner_user_id, p_state_key, null, null);
  end if;
  return query
    select t.state_key, t.title, t.message_count, t.metadata, t.created_at, t.updated_at,
      r.running, t.open_since is not null and not r.running, t.archived_at
    from pgthreads.thread as t
    cross join lateral (
      select exists (
        select
        from pgthreads.turn as n
        where n.owner_user_id = t.owner_user_id
          and n.state_key = t.state_key
          and n.status = 'running'
          and n.lease_until > clock_timestamp()
      ) as running
    ) as r
    where t.owner_user_id = p_owner_user_id
      and t.state_key = p_state_key
      and t.deleted_at is null;
end;
$$;

comment on function pgthreads.read_header(text, text) is
  'The thread as list_threads shows it, without its messages; no row if no such thread exists.';
revoke all on function pgthreads.read_header(text, text) from public;
grant execute on function pgthreads.read_header(text, text) to pgthreads_server;
