-- What keeps a redaction rule from working on its example; null if nothing does.

create or replace function pgthreads.redaction_rule_fault(p_name text)
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_rule pgthreads.redaction_rule;
  v_json text;
begin
  select r.* into strict v_rule from pgthreads.redaction_rule as r where r.name = p_name;
  -- All of its expressions have to compile, even those that are not tried on the example.
  perform '' ~ v_rule.pattern, '' ~ v_rule.screen, '' ~ v_rule.first_look;
  if v_rule.example is null then
    return case when v_rule.enabled then 'It has no example, so nothing shows that it works.' end;
  end if;
  v_json := jsonb_build_object('text', v_rule.example)::text;
  return case
    when pgthreads.redact_texts(array[v_rule.example], p_name) = array[v_rule.example] then
      case
        when v_rule.verifier is null then 'Its pattern finds nothing in its example.'
        else 'Its pattern finds nothing in its example that passes its verifier.'
      end
    when v_json !~ v_rule.screen then 'Its screen does not match its example.'
    when v_json !~ v_rule.first_look then 'Its first look does not match its example.'
  end;
end;
$$;

comment on function pgthreads.redaction_rule_fault(text) is
  'What keeps the redaction rule from working on its example; null if nothing does.';
revoke all on function pgthreads.redaction_rule_fault(text) from public;
