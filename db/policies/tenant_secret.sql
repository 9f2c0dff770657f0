-- Only the functions that make and check proofs read their secret; they run as the owner role.

alter table pgthreads.tenant_secret enable row level security;
alter table pgthreads.tenant_secret force row level security;

drop policy if exists tenant_secret_owner on pgthreads.tenant_secret;
create policy tenant_secret_owner on pgthreads.tenant_secret to pgthreads_owner
  using (true)
  with check (true);

revoke all on pgthreads.tenant_secret from public, pgthreads_server, pgthreads_maintenance;
