-- Trigger of message: keeps the words of appended messages. Runs with the rights of the append.

create or replace function pgthreads.index_messages()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  v_config pgthreads.search_config;
begin
  -- This is a statement of its own because the caller has turned sequential scans off, so that a
  -- plan with one looks expensive and is compiled just in time.
  select c.* into strict v_config from pgthreads.search_config as c;
  insert into pgthreads.message_search (owner_user_id, state_key, seq, tsv)
  select w.owner_user_id, w.state_key, w.seq, w.tsv
  from (
    select n.owner_user_id, n.state_key, n.seq,
      pgthreads.message_words(v_config.language::regconfig, n.message) as tsv
    from new_messages as n
    -- The offset keeps the words from being made twice, here and for the condition.
    offset 0
  ) as w
  where w.tsv <> '';
  return null;
end;
$$;

comment on function pgthreads.index_messages() is
  'Trigger of message: keeps the words of appended messages for search_threads.';
revoke all on function pgthreads.index_messages() from public;
