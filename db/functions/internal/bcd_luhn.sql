-- The sum of Luhn's formula for up to sixteen digits, which are given as a hexadecimal number. So
-- each half of a byte is a digit, and all of them are added at once. For the pair tu the formula
-- adds u + 2t, less 9 if t is 5 or more; the remainder by 255 is the sum of the bytes. The planner
-- puts this expression in the place of its call.

create or replace function pgthreads.bcd_luhn(p_digits bigint)
returns bigint
language sql
immutable
parallel safe
as $$
  select (
      (p_digits operator(pg_catalog.&) x'0f0f0f0f0f0f0f0f'::pg_catalog.int8)
      operator(pg_catalog.+) (
        ((p_digits operator(pg_catalog.>>) 4)
          operator(pg_catalog.&) x'0f0f0f0f0f0f0f0f'::pg_catalog.int8)
        operator(pg_catalog.*) 2::pg_catalog.int8
      )
      operator(pg_catalog.-) (
        (
          (
            ((p_digits operator(pg_catalog.>>) 4)
              operator(pg_catalog.&) x'0f0f0f0f0f0f0f0f'::pg_catalog.int8)
            operator(pg_catalog.+) x'0303030303030303'::pg_catalog.int8
          ) operator(pg_catalog.>>) 3
          operator(pg_catalog.&) x'0101010101010101'::pg_catalog.int8
        ) operator(pg_catalog.*) 9::pg_catalog.int8
      )
    ) operator(pg_catalog.%) 255::pg_catalog.int8;
$$;

comment on function pgthreads.bcd_luhn(bigint) is
  'The sum of Luhn''s formula for up to sixteen digits in binary-coded decimal.';
revoke all on function pgthreads.bcd_luhn(bigint) from public;
