-- Retention belongs to the operators. The functions that serve clients neither read nor write it.

alter table pgthreads.retention enable row level security;
alter table pgthreads.retention force row level security;

drop policy if exists retention_maintenance on pgthreads.retention;
create policy retention_maintenance on pgthreads.retention to pgthreads_maintenance
  using (true)
  with check (true);

revoke all on pgthreads.retention from public, pgthreads_server, pgthreads_maintenance;
grant select, insert, update, delete on pgthreads.retention to pgthreads_maintenance;
