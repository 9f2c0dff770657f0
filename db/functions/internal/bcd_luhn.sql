-- What Luhn's formula adds up for up to sixteen digits, which are given as a hexadecimal number:
-- there each half of a byte is a digit, so that all are looked at together. Of the pair tu, u + 2t
-- is added, less 9 where t is 5 or more; the remainder by 255 is the sum of the bytes. The planner
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
  'What Luhn''s formula adds up for up to sixteen digits in binary-coded decimal.';
revoke all on function pgthreads.bcd_luhn(bigint) from public;
