-- How long the IBANs of a country are (ISO 13616 registry); null for a country that has none.

create or replace function pgthreads.iban_length(p_country text)
returns int
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return (pgthreads.iban_lengths() ->> upper(p_country))::int;
end;
$$;

comment on function pgthreads.iban_length(text) is
  'How many characters an IBAN of the country has; null if the country has none.';
revoke all on function pgthreads.iban_length(text) from public;
