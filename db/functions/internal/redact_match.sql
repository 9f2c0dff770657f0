-- This is not called any more, but during an upgrade a call of the release before may be running
-- it.
--
-- Redacts a match of a rule with a verifier. What comes before the number (see the rules' <start>)
-- is kept. Of an IBAN's match, the longest run of words from its start that passes is replaced,
-- because the match may include the words after it. Of a run of digits, each card is replaced.

create or replace function pgthreads.redact_match(
  p_match text,
  p_verifier text,
  p_replacement text
)
returns text
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_front text := substring(
    p_match from case p_verifier when 'iban' then '^[^A-Z]*' else '^[^0-9]*' end);
  v_number text := substr(p_match, char_length(v_front) + 1);
  v_head text := v_number;
begin
  if p_verifier = 'luhn' then
    return v_front || pgthreads.redact_cards(v_number, p_replacement);
  end if;
  while v_head <> '' loop
    if pgthreads.is_iban(v_head) then
      return v_front || p_replacement || substr(v_number, char_length(v_head) + 1);
    end if;
    v_head := regexp_replace(v_head, ' ?[^ ]*$', '');
  end loop;
  return p_match;
end;
$$;

comment on function pgthreads.redact_match(text, text, text) is
  'The match with the words replaced that pass the verifier (luhn or iban).';
revoke all on function pgthreads.redact_match(text, text, text) from public;
