-- It equals the formula written out, for numbers of all lengths.
begin;
select plan(1);
\ir ../helpers.psql

select is_empty(
  $$
    select n.number
    from (
      select floor(10 ^ (g % 16) * (1 + g * 0.618 % 1))::bigint % 10000000000000000 as number
      from generate_series(1, 2000) as g
    ) as n
    where pgthreads.bcd_luhn(('x' || lpad(n.number::text, 16, '0'))::bit(64)::bigint) % 10
      <> pgthreads.luhn_sum(n.number) % 10
  $$,
  'of 2,000 numbers'
);

select * from finish();
rollback;
