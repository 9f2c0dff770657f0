-- Row level security of tool_response: respond_turn writes it, and nothing changes it. Maintenance
-- reads it, and deletes it with its thread.

alter table pgthreads.tool_response enable row level security;
alter table pgthreads.tool_response force row level security;

drop policy if exists tool_response_owner_select on pgthreads.tool_response;
create policy tool_response_owner_select on pgthreads.tool_response
  for select to pgthreads_owner
  using (owner_user_id = nullif(current_setting('app.current_user_id', true), ''));

drop policy if exists tool_response_owner_insert on pgthreads.tool_response;
create policy tool_response_owner_insert on pgthreads.tool_response
  for insert to pgthreads_owner
  with check (owner_user_id = nullif(current_setting('app.current_user_id', true), ''));

drop policy if exists tool_response_maintenance_select on pgthreads.tool_response;
create policy tool_response_maintenance_select on pgthreads.tool_response
  for select to pgthreads_maintenance
  using (true);

drop policy if exists tool_response_maintenance_delete on pgthreads.tool_response;
create policy tool_response_maintenance_delete on pgthreads.tool_response
  for delete to pgthreads_maintenance
  using (true);

revoke all on pgthreads.tool_response from public, pgthreads_server, pgthreads_maintenance;
grant select, delete on pgthreads.tool_response to pgthreads_maintenance;
