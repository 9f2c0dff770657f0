-- Row level security of late_answer: keep_answer writes it, and only maintenance reads it.

alter table pgthreads.late_answer enable row level security;
alter table pgthreads.late_answer force row level security;

drop policy if exists late_answer_owner on pgthreads.late_answer;
create policy late_answer_owner on pgthreads.late_answer to pgthreads_owner
  using (owner_user_id = nullif(current_setting('app.current_user_id', true), ''))
  with check (owner_user_id = nullif(current_setting('app.current_user_id', true), ''));

drop policy if exists late_answer_maintenance_select on pgthreads.late_answer;
create policy late_answer_maintenance_select on pgthreads.late_answer
  for select to pgthreads_maintenance
  using (true);

drop policy if exists late_answer_maintenance_delete on pgthreads.late_answer;
create policy late_answer_maintenance_delete on pgthreads.late_answer
  for delete to pgthreads_maintenance
  using (true);

revoke all on pgthreads.late_answer from public, pgthreads_server, pgthreads_maintenance;
grant select, delete on pgthreads.late_answer to pgthreads_maintenance;
