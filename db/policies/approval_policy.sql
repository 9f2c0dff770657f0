-- Who must approve holds no tenant's data: the owner role, and whoever it lets, changes it.

alter table pgthreads.approval_policy enable row level security;
alter table pgthreads.approval_policy force row level security;

drop policy if exists approval_policy_owner on pgthreads.approval_policy;
create policy approval_policy_owner on pgthreads.approval_policy to pgthreads_owner
  using (true)
  with check (true);

revoke all on pgthreads.approval_policy
  from public, pgthreads_server, pgthreads_maintenance;
