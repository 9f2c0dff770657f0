-- Whether the digits of a text end in a right check digit by Luhn's formula (ISO/IEC 7812-1). The
-- digits are taken in pairs from the right: for the pair tu the formula adds u + 2t + t/5, modulo
-- 10.

create or replace function pgthreads.is_luhn(p_text text)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_digits text := regexp_replace(p_text, '[^0-9]', '', 'g');
begin
  if octet_length(v_digits) <= 18 then
    return v_digits <> '' and pgthreads.luhn_sum(v_digits::bigint) % 10 = 0;
  end if;
  return (
    select sum(case
        when (octet_length(v_digits) - d.place) % 2 = 0 then d.digit::int
        else d.digit::int * 2 + d.digit::int / 5
      end) % 10 = 0
    from string_to_table(v_digits, null) with ordinality as d (digit, place)
  );
end;
$$;

comment on function pgthreads.is_luhn(text) is
  'Whether the digits of the text pass the Luhn check.';
revoke all on function pgthreads.is_luhn(text) from public;
grant execute on function pgthreads.is_luhn(text) to pgthreads_server;
