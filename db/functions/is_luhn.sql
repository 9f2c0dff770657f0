-- Whether the digits of a text have a right check digit by Luhn's formula (ISO/IEC 7812-1).

create or replace function pgthreads.is_luhn(p_text text)
returns boolean
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(sum(
    case
      when d.place % 2 = 1 then d.digit::int
      else d.digit::int * 2 - case when d.digit::int > 4 then 9 else 0 end
    end) % 10 = 0, false)
  from regexp_split_to_table(reverse(regexp_replace(p_text, '[^0-9]', '', 'g')), '')
    with ordinality as d (digit, place)
  where d.digit <> '';
$$;

comment on function pgthreads.is_luhn(text) is
  'Whether the digits of the text pass the Luhn check.';
revoke all on function pgthreads.is_luhn(text) from public;
grant execute on function pgthreads.is_luhn(text) to pgthreads_server;
