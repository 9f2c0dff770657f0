-- Whether a text, without its spaces and hyphens, is an IBAN: it has the length of its country's
-- IBANs and right check digits (ISO 13616, modulo 97).

create or replace function pgthreads.is_iban(p_text text)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_iban text := upper(translate(left(p_text, 100), ' -', ''));
begin
  return coalesce(
    octet_length(v_iban) = pgthreads.iban_length(left(v_iban, 2))
      and v_iban ~ '^[A-Z][A-Z][0-9][0-9][A-Z0-9]+$'
      and pgthreads.iban_remainder(v_iban) = 1,
    false);
end;
$$;

comment on function pgthreads.is_iban(text) is
  'Whether the text is an IBAN: it has the length of its country''s and right check digits.';
revoke all on function pgthreads.is_iban(text) from public;
grant execute on function pgthreads.is_iban(text) to pgthreads_server;
