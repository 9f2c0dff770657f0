-- Trigger of thread: removes the words of threads that are removed for good.

create or replace function pgthreads.unindex_threads()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
  delete from pgthreads.message_search as s
  using removed_threads as r
  where s.owner_user_id = r.owner_user_id and s.state_key = r.state_key;
  return null;
end;
$$;

comment on function pgthreads.unindex_threads() is
  'Trigger of thread: removes the words of threads that are purged or erased.';
revoke all on function pgthreads.unindex_threads() from public;
