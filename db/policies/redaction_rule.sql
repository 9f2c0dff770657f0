-- Redaction rules hold no tenant's data: the owner role, and whoever it lets, changes them. The
-- trigger keeps config.redaction_screen; the update at the end is for rules that a migration made
-- before the trigger was there.

alter table pgthreads.redaction_rule enable row level security;
alter table pgthreads.redaction_rule force row level security;

drop policy if exists redaction_rule_owner on pgthreads.redaction_rule;
create policy redaction_rule_owner on pgthreads.redaction_rule to pgthreads_owner
  using (true)
  with check (true);

revoke all on pgthreads.redaction_rule from public, pgthreads_server;

create or replace trigger redaction_rule_screen
  after insert or update or delete or truncate on pgthreads.redaction_rule
  for each statement execute function pgthreads.refresh_redaction_screen();

update pgthreads.redaction_rule as r
set ordering = r.ordering
where r.name = (select min(f.name) from pgthreads.redaction_rule as f)
  and (select c.redaction_first_look from pgthreads.config as c) is null;
