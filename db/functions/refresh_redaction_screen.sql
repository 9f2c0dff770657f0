-- Keeps config.redaction_screen: the screens of all enabled rules as one expression, so that a clean
-- message costs one scan.

create or replace function pgthreads.refresh_redaction_screen()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgthreads.redact_text('');
  update pgthreads.config as c
  set redaction_screen = s.screen
  from (
    select string_agg(r.screen, '|' order by r.ordering, r.name) as screen
    from pgthreads.redaction_rule as r
    where r.enabled
  ) as s
  where c.redaction_screen is distinct from s.screen;
  perform '' ~ c.redaction_screen from pgthreads.config as c;
  return null;
end;
$$;

comment on function pgthreads.refresh_redaction_screen() is
  'Trigger of redaction_rule: joins the screens; refuses a rule whose expressions do not compile.';
revoke all on function pgthreads.refresh_redaction_screen() from public;
