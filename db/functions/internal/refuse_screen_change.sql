-- Trigger of redaction_screen: only the trigger of redaction_rule writes it.

create or replace function pgthreads.refuse_screen_change()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if pg_trigger_depth() < 2 then
    raise exception 'nobody edits the joined screens' using
      errcode = 'insufficient_privilege',
      detail = 'pgthreads.redaction_screen follows from the rules that are enabled.',
      hint = 'Change pgthreads.redaction_rule: enabled = false switches a rule off.';
  end if;
  return null;
end;
$$;

comment on function pgthreads.refuse_screen_change() is
  'Trigger of redaction_screen: refuses every change but that of the trigger of redaction_rule.';
revoke all on function pgthreads.refuse_screen_change() from public;
