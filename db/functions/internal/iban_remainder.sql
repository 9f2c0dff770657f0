-- The remainder of an IBAN by 97 (ISO 13616), which is 1 if its check digits are right. For that
-- its first four characters are moved to the end, and each letter counts as two digits.

create or replace function pgthreads.iban_remainder(p_iban text)
returns int
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_digits text := substr(p_iban, 5) || (ascii(p_iban) - 55) || (ascii(substr(p_iban, 2)) - 55)
    || substr(p_iban, 3, 2);
begin
  if v_digits ~ '[A-M]' then
    v_digits := replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
      replace(replace(replace(v_digits, 'A', '10'), 'B', '11'), 'C', '12'), 'D', '13'), 'E', '14'),
      'F', '15'), 'G', '16'), 'H', '17'), 'I', '18'), 'J', '19'), 'K', '20'), 'L', '21'),
      'M', '22');
  end if;
  if v_digits ~ '[N-Z]' then
    v_digits := replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
      replace(replace(replace(v_digits, 'N', '23'), 'O', '24'), 'P', '25'), 'Q', '26'), 'R', '27'),
      'S', '28'), 'T', '29'), 'U', '30'), 'V', '31'), 'W', '32'), 'X', '33'), 'Y', '34'),
      'Z', '35');
  end if;
  return (v_digits::numeric % 97)::int;
end;
$$;

comment on function pgthreads.iban_remainder(text) is
  'The remainder of an IBAN by 97: 1 if its check digits are right.';
revoke all on function pgthreads.iban_remainder(text) from public;
