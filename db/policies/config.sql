-- Limits are no tenant's data. The owner role changes them, and whoever it allows to.

alter table pgthreads.config enable row level security;
alter table pgthreads.config force row level security;

drop policy if exists config_owner on pgthreads.config;
create policy config_owner on pgthreads.config to pgthreads_owner
  using (true)
  with check (true);

drop policy if exists config_maintenance on pgthreads.config;
create policy config_maintenance on pgthreads.config for select to pgthreads_maintenance
  using (true);

revoke all on pgthreads.config from public, pgthreads_server, pgthreads_maintenance;
grant select on pgthreads.config to pgthreads_maintenance;

create or replace trigger config_tenancy
  after update of require_verified_tenant on pgthreads.config
  for each row execute function pgthreads.refresh_tenancy();

-- The installation has replaced requires_token() by one that says false.
update pgthreads.config as c
set require_verified_tenant = true
where c.require_verified_tenant;
