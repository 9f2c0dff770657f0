-- A match of a rule with a verifier: its longest run of words from the start that passes is replaced,
-- the rest kept. What the match has in front of the number (see the rules' <start>) is kept too.

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
  v_front text := substring(p_match from case p_verifier when 'iban' then '^[^A-Z]*' else '^[^0-9]*' end);
  v_number text := substr(p_match, char_length(v_front) + 1);
  v_head text := v_number;
begin
  while v_head <> '' loop
    if (p_verifier = 'luhn' and pgthreads.is_luhn(v_head))
      or (p_verifier = 'iban' and pgthreads.is_iban(v_head)) then
      return v_front || p_replacement || substr(v_number, char_length(v_head) + 1);
    end if;
    v_head := case when p_verifier = 'iban' then regexp_replace(v_head, ' ?[^ ]*$', '') else '' end;
  end loop;
  return p_match;
end;
$$;

comment on function pgthreads.redact_match(text, text, text) is
  'The match with the words replaced that pass the verifier (luhn or iban).';
revoke all on function pgthreads.redact_match(text, text, text) from public;
