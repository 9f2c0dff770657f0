-- Trigger of redaction_rule: writes redaction_screen, which has the first looks and the screens of
-- all enabled rules as one expression each, so that a clean message costs one scan.

create or replace function pgthreads.refresh_redaction_screen()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform '' ~ r.pattern from pgthreads.redaction_rule as r where r.enabled;
  insert into pgthreads.redaction_screen as s (first_look, screen, folded)
  select j.first_look, j.screen, j.folded
  from pgthreads.joined_screens() as j
  on conflict (only_row) do update
  set first_look = excluded.first_look, screen = excluded.screen, folded = excluded.folded
  where (s.first_look, s.screen, s.folded)
    is distinct from (excluded.first_look, excluded.screen, excluded.folded);
  perform '' ~ s.screen, '' ~ s.first_look from pgthreads.redaction_screen as s;
  return null;
end;
$$;

comment on function pgthreads.refresh_redaction_screen() is
  'Trigger of redaction_rule: joins the screens; refuses a rule whose expressions do not compile.';
revoke all on function pgthreads.refresh_redaction_screen() from public;
