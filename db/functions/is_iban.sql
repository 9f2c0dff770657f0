-- Whether a text, without its spaces, is an IBAN by its check digits (ISO 13616, modulo 97).

create or replace function pgthreads.is_iban(p_text text)
returns boolean
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select replace(p_text, ' ', '') ~ '^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$'
    and (
      select string_agg(
        case when c.sign ~ '[A-Z]' then (ascii(c.sign) - 55)::text else c.sign end,
        '' order by c.place)::numeric % 97 = 1
      from regexp_split_to_table(
        substr(replace(p_text, ' ', ''), 5) || left(replace(p_text, ' ', ''), 4), '')
        with ordinality as c (sign, place)
    );
$$;

comment on function pgthreads.is_iban(text) is
  'Whether the text is an IBAN with right check digits.';
revoke all on function pgthreads.is_iban(text) from public;
grant execute on function pgthreads.is_iban(text) to pgthreads_server;
