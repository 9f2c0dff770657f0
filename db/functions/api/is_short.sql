-- Whether a JSON value may be printed: whether its text has no more than so many bytes, or few
-- enough to print it and look, and a double can hold its numbers. Asked before a value from outside
-- is printed, because `1e300` is eight bytes as jsonb and 301 as text. Nearly always the size as
-- jsonb tells: the text is never shorter than a quarter of it, and with such numbers never longer
-- than 36 times of it. In between prints_within() looks. So of plain JSON up to four times p_bytes
-- may pass; require_storable() prints what has passed, and counts.

create or replace function pgthreads.is_short(p_value jsonb, p_bytes int)
returns boolean
language sql
immutable
parallel safe
as $$
  select case
    when pg_catalog.pg_column_size(p_value)
      operator(pg_catalog.<=) (p_bytes operator(pg_catalog./) 36)
      then pgthreads.has_plain_numbers(p_value)
    when pg_catalog.pg_column_size(p_value)::pg_catalog.int8
      operator(pg_catalog.>) (p_bytes::pg_catalog.int8 operator(pg_catalog.*) 4
        operator(pg_catalog.+) 1024)
      then false
    else pgthreads.prints_within(p_value, p_bytes)
  end;
$$;

comment on function pgthreads.is_short(jsonb, int) is
  'Whether the value can be printed: plain numbers, and about so many bytes of text at most.';
revoke all on function pgthreads.is_short(jsonb, int) from public;
grant execute on function pgthreads.is_short(jsonb, int) to pgthreads_server;
