-- One decoded string through all enabled rules, in their order. A rule with a verifier replaces only
-- the matches that pass it; a match of several words may have swallowed too much, so words are given
-- back from its end until the rest passes.

create or replace function pgthreads.redact_text(p_text text)
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_rule record;
  v_text text := p_text;
begin
  for v_rule in
    select r.pattern, r.replacement, r.verifier
    from pgthreads.redaction_rule as r
    where r.enabled
    order by r.ordering, r.name
  loop
    if v_rule.verifier is null then
      v_text := regexp_replace(v_text, v_rule.pattern, v_rule.replacement, 'g');
    elsif v_text ~ v_rule.pattern then
      select string_agg(
        s.piece || coalesce(pgthreads.redact_match(m.found[1], v_rule.verifier, v_rule.replacement), ''),
        '' order by s.place)
      into v_text
      from regexp_split_to_table(v_text, v_rule.pattern) with ordinality as s (piece, place)
      left join regexp_matches(v_text, v_rule.pattern, 'g') with ordinality as m (found, place)
        on m.place = s.place;
    end if;
  end loop;
  return v_text;
end;
$$;

comment on function pgthreads.redact_text(text) is
  'The text with everything replaced that an enabled redaction rule finds.';
revoke all on function pgthreads.redact_text(text) from public;
grant execute on function pgthreads.redact_text(text) to pgthreads_server;
