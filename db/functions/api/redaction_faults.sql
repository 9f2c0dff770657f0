-- What keeps redaction from working as its rules say: a row for each fault, and no row if it works.
-- This is for DBAs, for `pgthreads doctor`, and for the installed suite. It reads rules and
-- screens, and no messages.

create or replace function pgthreads.redaction_faults()
returns table (rule text, fault text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_name text;
  v_enabled boolean;
  v_example text;
  v_message jsonb;
  v_fault text;
begin
  if not exists (select from pgthreads.redaction_rule as r where r.enabled) then
    return query select null, 'No rule is enabled: nothing is redacted.';
  end if;
  if not exists (
    select
    from pgthreads.redaction_screen as s
    join pgthreads.joined_screens() as j
      on (j.first_look, j.screen, j.folded) = (s.first_look, s.screen, s.folded)
  ) then
    return query select null, 'redaction_screen does not follow from the enabled rules: '
      'run `update pgthreads.redaction_rule set ordering = ordering`.';
  end if;
  return query
    select null, format('Trigger %s of %s is %s.', w.name, w.relation,
      case when t.tgname is null then 'missing' else 'disabled' end)
    from (values
      ('redaction_rule', 'redaction_rule_example'), ('redaction_rule', 'redaction_rule_screen'),
      ('redaction_screen', 'redaction_screen_written')
    ) as w (relation, name)
    left join pg_trigger as t
      on t.tgrelid = ('pgthreads.' || w.relation)::regclass and t.tgname = w.name
    where t.tgname is null or t.tgenabled not in ('O', 'A');
  for v_name, v_enabled, v_example in
    select r.name, r.enabled, r.example
    from pgthreads.redaction_rule as r
    order by r.ordering, r.name
  loop
    begin
      v_fault := pgthreads.redaction_rule_fault(v_name);
      if v_fault is null and v_enabled then
        v_message := jsonb_build_object('id', 'm', 'role', 'user', 'parts', jsonb_build_array(
          jsonb_build_object('type', 'text', 'text', v_example)));
        if pgthreads.redact_message(v_message) = v_message then
          v_fault := 'Its example stays in a message.';
        end if;
      end if;
    exception
      when invalid_regular_expression then
        v_fault := format('It cannot be used: %s.', sqlerrm);
    end;
    if v_fault is not null then
      return query select v_name, v_fault;
    end if;
  end loop;
end;
$$;

comment on function pgthreads.redaction_faults() is
  'One row for each fault of redaction, in its rules, their examples, the screens or the triggers.';
revoke all on function pgthreads.redaction_faults() from public;
grant execute on function pgthreads.redaction_faults() to pgthreads_server, pgthreads_maintenance;
