-- Redaction rules are no tenant's data. The owner role changes them, and whoever it allows to.
-- Triggers try each rule on its example, and write redaction_screen. The update at the end is for
-- rules that a migration has made or changed, and for releases that join screens in another way.

alter table pgthreads.redaction_rule enable row level security;
alter table pgthreads.redaction_rule force row level security;

drop policy if exists redaction_rule_owner on pgthreads.redaction_rule;
create policy redaction_rule_owner on pgthreads.redaction_rule to pgthreads_owner
  using (true)
  with check (true);

revoke all on pgthreads.redaction_rule from public, pgthreads_server;

create or replace trigger redaction_rule_example
  after insert or update on pgthreads.redaction_rule
  for each row execute function pgthreads.check_redaction_rule();

create or replace trigger redaction_rule_screen
  after insert or update or delete or truncate on pgthreads.redaction_rule
  for each statement execute function pgthreads.refresh_redaction_screen();

update pgthreads.redaction_rule as r
set ordering = r.ordering
where false;
