-- The sum of Luhn's formula for a number of up to 19 digits, modulo 10 (see is_luhn). It is written
-- out, because it is called for each number of a long text.

create or replace function pgthreads.luhn_sum(p_number bigint)
returns bigint
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return p_number % 100 + p_number % 100 / 10 * 2 + p_number % 100 / 50
    + p_number / 100 % 100 + p_number / 100 % 100 / 10 * 2
      + p_number / 100 % 100 / 50
    + p_number / 10000 % 100 + p_number / 10000 % 100 / 10 * 2
      + p_number / 10000 % 100 / 50
    + p_number / 1000000 % 100 + p_number / 1000000 % 100 / 10 * 2
      + p_number / 1000000 % 100 / 50
    + p_number / 100000000 % 100 + p_number / 100000000 % 100 / 10 * 2
      + p_number / 100000000 % 100 / 50
    + p_number / 10000000000 % 100 + p_number / 10000000000 % 100 / 10 * 2
      + p_number / 10000000000 % 100 / 50
    + p_number / 1000000000000 % 100 + p_number / 1000000000000 % 100 / 10 * 2
      + p_number / 1000000000000 % 100 / 50
    + p_number / 100000000000000 % 100 + p_number / 100000000000000 % 100 / 10 * 2
      + p_number / 100000000000000 % 100 / 50
    + p_number / 10000000000000000 % 100 + p_number / 10000000000000000 % 100 / 10 * 2
      + p_number / 10000000000000000 % 100 / 50
    + p_number / 1000000000000000000;
end;
$$;

comment on function pgthreads.luhn_sum(bigint) is
  'The sum of Luhn''s formula for the number, modulo 10.';
revoke all on function pgthreads.luhn_sum(bigint) from public;
