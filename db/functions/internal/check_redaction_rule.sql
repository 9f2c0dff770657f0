-- Trigger of redaction_rule: refuses a rule that does not work on its example, and a rule that is
-- enabled without an example. A rule that is older than examples stays as it is until somebody
-- changes what it does.

create or replace function pgthreads.check_redaction_rule()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_fault text;
begin
  if tg_op = 'UPDATE' then
    if (new.pattern, new.min_length, new.replacement, new.screen, new.first_look, new.verifier,
        new.needles, new.example)
      is not distinct from
      (old.pattern, old.min_length, old.replacement, old.screen, old.first_look, old.verifier,
        old.needles, old.example)
      and (old.enabled or not new.enabled)
    then
      return null;
    end if;
  end if;
  v_fault := pgthreads.redaction_rule_fault(new.name);
  if v_fault is not null then
    raise exception 'redaction rule % would not work', new.name using
      errcode = 'check_violation',
      detail = v_fault,
      hint = 'Set example to a text in which the rule finds something. Its pattern has to match in'
        || ' the text; screen, and first_look if there is one, in the text as JSON.';
  end if;
  return null;
end;
$$;

comment on function pgthreads.check_redaction_rule() is
  'Trigger of redaction_rule: refuses a rule that does not work on its example.';
revoke all on function pgthreads.check_redaction_rule() from public;
