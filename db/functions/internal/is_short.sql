-- Whether it is safe to print a JSON value of which p_bytes are allowed: its text is not longer, or
-- only so much longer that it can be printed and counted, and a double can hold its numbers. This
-- is asked before a value from outside is printed, because `1e300` takes eight bytes as jsonb and
-- 301 as text. Nearly always the size as jsonb decides: the text is never shorter than a quarter of
-- it, and if the numbers are plain never longer than 36 times of it. In between, prints_within()
-- decides. So up to four times p_bytes of plain JSON may pass; require_storable() prints what has
-- passed, and counts.

create or replace function pgthreads.is_short(p_value jsonb, p_bytes int)
returns boolean
language sql
stable
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
revoke all on function pgthreads.is_short(jsonb, int) from public, pgthreads_server;
