-- The joined screens are no tenant's data. Only the trigger of redaction_rule writes them.

alter table pgthreads.redaction_screen enable row level security;
alter table pgthreads.redaction_screen force row level security;

drop policy if exists redaction_screen_owner on pgthreads.redaction_screen;
create policy redaction_screen_owner on pgthreads.redaction_screen to pgthreads_owner
  using (true)
  with check (true);

revoke all on pgthreads.redaction_screen from public, pgthreads_server, pgthreads_maintenance;

create or replace trigger redaction_screen_written
  before insert or update or delete or truncate on pgthreads.redaction_screen
  for each statement execute function pgthreads.refuse_screen_change();
