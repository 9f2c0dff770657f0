-- Keys hold no tenant's data, and whoever reads one can be any tenant: the owner role alone.

alter table pgthreads.tenant_key enable row level security;
alter table pgthreads.tenant_key force row level security;

drop policy if exists tenant_key_owner on pgthreads.tenant_key;
create policy tenant_key_owner on pgthreads.tenant_key to pgthreads_owner
  using (true)
  with check (true);

revoke all on pgthreads.tenant_key from public, pgthreads_server, pgthreads_maintenance;
