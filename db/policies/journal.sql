-- Row level security of journal: only the functions see its frames, because they are not redacted.
-- Maintenance deletes rows, and for that sees which turns they belong to. No other role sees
-- anything.

alter table pgthreads.journal enable row level security;
alter table pgthreads.journal force row level security;

drop policy if exists journal_owner on pgthreads.journal;
create policy journal_owner on pgthreads.journal to pgthreads_owner
  using (owner_user_id = nullif(current_setting('app.current_user_id', true), ''))
  with check (owner_user_id = nullif(current_setting('app.current_user_id', true), ''));

drop policy if exists journal_maintenance_select on pgthreads.journal;
create policy journal_maintenance_select on pgthreads.journal for select to pgthreads_maintenance
  using (true);

drop policy if exists journal_maintenance_delete on pgthreads.journal;
create policy journal_maintenance_delete on pgthreads.journal for delete to pgthreads_maintenance
  using (true);

revoke all on pgthreads.journal from public, pgthreads_server, pgthreads_maintenance;
grant select (owner_user_id, state_key, turn_id, created_at), delete on pgthreads.journal
  to pgthreads_maintenance;
