-- The last verification is no tenant's data, and belongs to the operators.

alter table pgthreads.verification enable row level security;
alter table pgthreads.verification force row level security;

drop policy if exists verification_maintenance on pgthreads.verification;
create policy verification_maintenance on pgthreads.verification to pgthreads_maintenance
  using (true)
  with check (true);

revoke all on pgthreads.verification from public, pgthreads_server, pgthreads_maintenance;
grant select, insert, update on pgthreads.verification to pgthreads_maintenance;
