-- Row level security of turn: only the functions and maintenance see it. Maintenance may give up a
-- running turn and remove turns, and can change nothing else.

alter table pgthreads.turn enable row level security;
alter table pgthreads.turn force row level security;

drop policy if exists turn_owner on pgthreads.turn;
create policy turn_owner on pgthreads.turn to pgthreads_owner
  using (owner_user_id = nullif(current_setting('app.current_user_id', true), ''))
  with check (owner_user_id = nullif(current_setting('app.current_user_id', true), ''));

drop policy if exists turn_maintenance_select on pgthreads.turn;
create policy turn_maintenance_select on pgthreads.turn for select to pgthreads_maintenance
  using (true);

drop policy if exists turn_maintenance_abandon on pgthreads.turn;
create policy turn_maintenance_abandon on pgthreads.turn for update to pgthreads_maintenance
  using (status = 'running')
  with check (status = 'abandoned');

drop policy if exists turn_maintenance_delete on pgthreads.turn;
create policy turn_maintenance_delete on pgthreads.turn for delete to pgthreads_maintenance
  using (true);

create or replace trigger turn_usage
  after delete on pgthreads.turn
  referencing old table as removed_turns
  for each statement execute function pgthreads.keep_usage();

revoke all on pgthreads.turn from public, pgthreads_server, pgthreads_maintenance;
grant select, update (status, finished_at), delete on pgthreads.turn to pgthreads_maintenance;
