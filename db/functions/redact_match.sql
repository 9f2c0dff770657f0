-- A match of a rule with a verifier: its longest run of words from the start that passes is replaced,
-- the rest kept.

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
  v_head text := p_match;
begin
  while v_head <> '' loop
    if case p_verifier
      when 'luhn' then pgthreads.is_luhn(v_head)
      when 'iban' then pgthreads.is_iban(v_head)
    end then
      return p_replacement || substr(p_match, char_length(v_head) + 1);
    end if;
    v_head := case when p_verifier = 'iban' then regexp_replace(v_head, ' ?[^ ]*$', '') else '' end;
  end loop;
  return p_match;
end;
$$;

comment on function pgthreads.redact_match(text, text, text) is
  'The match with the words replaced that pass the verifier (luhn or iban).';
revoke all on function pgthreads.redact_match(text, text, text) from public;
