-- This is not called any more, but during an upgrade a call of the release before may be running
-- it.
--
-- Replaces the payment cards in a run of digits, which are in groups with single spaces or hyphens
-- between them; a run may have other numbers next to a card. A card is one group, or groups as they
-- are printed on cards (4-4-4-4 and a rest of up to 3, 4-6-5, 4-6-4), with the first digits of an
-- issuer (ISO/IEC 7812-1) and a right check digit.

create or replace function pgthreads.redact_cards(p_digits text, p_replacement text)
returns text
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_groups text[];
  v_gaps text[];
  v_result text := '';
  v_first int := 1;
  v_last int;
  v_card text;
begin
  select array_agg(g.found[1] order by g.place), array_agg(g.found[2] order by g.place)
  into v_groups, v_gaps
  from regexp_matches(p_digits, '([0-9]+)([ -]?)', 'g') with ordinality as g (found, place);
  while v_first <= cardinality(v_groups) loop
    v_last := case
      when v_groups[v_first] ~ '^(4|5[1-5]|2[2-7]|3[0-8]|6)'
        then least(v_first + 4, cardinality(v_groups))
      else v_first - 1
    end;
    while v_last >= v_first loop
      v_card := array_to_string(v_groups[v_first:v_last], '-');
      exit when v_card ~ ('^([0-9]{13,19}|[0-9]{4}(-[0-9]{4}){3}(-[0-9]{1,3})?'
          '|[0-9]{4}-[0-9]{6}-[0-9]{4,5})$')
        and pgthreads.is_luhn(v_card);
      v_last := v_last - 1;
    end loop;
    if v_last < v_first then
      v_result := v_result || v_groups[v_first] || v_gaps[v_first];
      v_first := v_first + 1;
    else
      v_result := v_result || p_replacement || v_gaps[v_last];
      v_first := v_last + 1;
    end if;
  end loop;
  return v_result;
end;
$$;

comment on function pgthreads.redact_cards(text, text) is
  'The run of digits with every payment card in it replaced.';
revoke all on function pgthreads.redact_cards(text, text) from public;
