-- Row level security of usage_total: maintenance reads it. The trigger of turn writes it, with the
-- rights of whoever removes turns.

alter table pgthreads.usage_total enable row level security;
alter table pgthreads.usage_total force row level security;

drop policy if exists usage_total_owner on pgthreads.usage_total;
create policy usage_total_owner on pgthreads.usage_total to pgthreads_owner
  using (owner_user_id = nullif(current_setting('app.current_user_id', true), ''))
  with check (owner_user_id = nullif(current_setting('app.current_user_id', true), ''));

drop policy if exists usage_total_maintenance on pgthreads.usage_total;
create policy usage_total_maintenance on pgthreads.usage_total to pgthreads_maintenance
  using (true)
  with check (true);

revoke all on pgthreads.usage_total from public, pgthreads_server, pgthreads_maintenance;
grant select, insert, update, delete on pgthreads.usage_total to pgthreads_maintenance;
