-- Trigger of redaction_screen: only the trigger of redaction_rule may write the table.

create or replace function pgthreads.refuse_screen_change()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if pg_trigger_depth() < 2 then
    raise exception 'the joined screens cannot be edited' using
      errcode = 'insufficient_privilege',
      detail = 'pgthreads.redaction_screen follows from the rules that are enabled.',
      hint = 'Change pgthreads.redaction_rule: enabled = false turns a rule off.';
  end if;
  return null;
end;
$$;

comment on function pgthreads.refuse_screen_change() is
  'Trigger of redaction_screen: refuses all changes except those by the trigger of redaction_rule.';
revoke all on function pgthreads.refuse_screen_change() from public;
