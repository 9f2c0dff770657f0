-- Renames a thread, merges keys into its metadata, and archives it or takes it back into the list.
-- Null leaves each as it is, and an empty title removes the title. This does not count as activity,
-- so the thread keeps its place in the list. To archive it twice changes nothing. Locks: the
-- thread's row.

create or replace function pgthreads.update_thread(
  p_owner_user_id text,
  p_state_key text,
  p_title text default null,
  p_metadata jsonb default null,
  p_archived boolean default null
)
returns table (
  state_key text,
  title text,
  message_count int,
  metadata jsonb,
  created_at timestamptz,
  updated_at timestamptz,
  archived_at timestamptz
)
language plpgsql
volatile
rows 1
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_title text;
begin
  if char_length(p_title) > 200 and char_length(btrim(p_title)) > 200 then
    -- Look at the thread first, so that whatever title comes with a foreign thread, the result is
    -- the same.
    perform pgthreads.require_thread(p_owner_user_id, p_state_key);
    raise exception 'the title is too long' using
      errcode = 'string_data_right_truncation',
      detail = format('It has %s characters.', char_length(btrim(p_title))),
      hint = 'Shorten it to 200 characters.';
  end if;
  -- Redact before the lock is taken. What replaces a secret may be longer than the secret.
  v_title := left(btrim(pgthreads.redact_text(btrim(p_title))), 200);
  perform pgthreads.require_thread(p_owner_user_id, p_state_key);
  return query
    update pgthreads.thread as t
    set title = case when p_title is null then t.title else nullif(v_title, '') end,
      metadata = case
        when p_metadata is null then t.metadata
        else pgthreads.merge_metadata(t.metadata, p_metadata)
      end,
      archived_at = case
        when p_archived is null then t.archived_at
        when p_archived then coalesce(t.archived_at, clock_timestamp())
      end,
      touched_xid = pg_current_xact_id()
    where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key
    returning t.state_key, t.title, t.message_count, t.metadata, t.created_at, t.updated_at,
      t.archived_at;
end;
$$;

comment on function pgthreads.update_thread(text, text, text, jsonb, boolean) is
  'Renames the thread, merges keys into its metadata, archives it; null leaves each as it is.';
revoke all on function pgthreads.update_thread(text, text, text, jsonb, boolean) from public;
grant execute on function pgthreads.update_thread(text, text, text, jsonb, boolean)
  to pgthreads_server;
