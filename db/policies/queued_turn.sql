-- Row level security of queued_turn: only begin_turn sees it, and maintenance, which deletes rows.

alter table pgthreads.queued_turn enable row level security;
alter table pgthreads.queued_turn force row level security;

drop policy if exists queued_turn_owner on pgthreads.queued_turn;
create policy queued_turn_owner on pgthreads.queued_turn to pgthreads_owner
  using (owner_user_id = nullif(current_setting('app.current_user_id', true), ''))
  with check (owner_user_id = nullif(current_setting('app.current_user_id', true), ''));

drop policy if exists queued_turn_maintenance_select on pgthreads.queued_turn;
create policy queued_turn_maintenance_select on pgthreads.queued_turn
  for select to pgthreads_maintenance
  using (true);

drop policy if exists queued_turn_maintenance_delete on pgthreads.queued_turn;
create policy queued_turn_maintenance_delete on pgthreads.queued_turn
  for delete to pgthreads_maintenance
  using (true);

revoke all on pgthreads.queued_turn from public, pgthreads_server, pgthreads_maintenance;
grant select, delete on pgthreads.queued_turn to pgthreads_maintenance;
