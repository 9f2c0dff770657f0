-- Keys are no tenant's data. Whoever can read one can be any tenant, so only the owner role may.

alter table pgthreads.tenant_key enable row level security;
alter table pgthreads.tenant_key force row level security;

drop policy if exists tenant_key_owner on pgthreads.tenant_key;
create policy tenant_key_owner on pgthreads.tenant_key to pgthreads_owner
  using (true)
  with check (true);

revoke all on pgthreads.tenant_key from public, pgthreads_server, pgthreads_maintenance;
