-- Keeps config.redaction_first_look and config.redaction_screen: the first looks and the screens of all
-- enabled rules as one expression each, so that a clean message costs one scan.

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
  set redaction_screen = s.screen,
    redaction_first_look = s.first_look
  from (
    select string_agg(r.screen, '|' order by r.ordering, r.name) as screen,
      string_agg(distinct coalesce(r.first_look, r.screen), '|') as first_look
    from pgthreads.redaction_rule as r
    where r.enabled
  ) as s
  where (c.redaction_screen, c.redaction_first_look) is distinct from (s.screen, s.first_look);
  perform '' ~ c.redaction_screen, '' ~ c.redaction_first_look from pgthreads.config as c;
  return null;
end;
$$;

comment on function pgthreads.refresh_redaction_screen() is
  'Trigger of redaction_rule: joins the screens; refuses a rule whose expressions do not compile.';
revoke all on function pgthreads.refresh_redaction_screen() from public;
