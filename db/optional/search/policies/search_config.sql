-- The language is no tenant's data. The owner role changes it, and whoever it allows to. At the
-- first installation all stored messages are indexed here, after the policies and triggers were
-- created.

alter table pgthreads.search_config enable row level security;
alter table pgthreads.search_config force row level security;

drop policy if exists search_config_owner on pgthreads.search_config;
create policy search_config_owner on pgthreads.search_config to pgthreads_owner
  using (true)
  with check (true);

revoke all on pgthreads.search_config from public, pgthreads_server, pgthreads_maintenance;

do $$
begin
  if (select c.built_at is null from pgthreads.search_config as c) then
    perform pgthreads.rebuild_search();
  end if;
end;
$$;
