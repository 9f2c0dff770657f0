-- Whether every number in a JSON value is one that a double can hold and that is about as long in
-- jsonb's text as where it came from: 1e131000 or 0e-16000 become a text of many thousand digits,
-- so that a small message could take a gigabyte of memory. The path finds what is worth a look, and
-- runs in C; fit_doubles() looks, also into values that are large, with less memory.

create or replace function pgthreads.has_plain_numbers(p_value jsonb)
returns boolean
language sql
immutable
parallel safe
as $$
  select case
    when pg_catalog.pg_column_size(p_value) operator(pg_catalog.>) 32768
      then pgthreads.fit_doubles(p_value)
    else not pg_catalog.jsonb_path_exists(p_value, '$.** ? (@.type() == "number"
        && (@ > 1e300 || @ < -1e300 || (@ > -1e-300 && @ < 1e-300)))')
      or pgthreads.fit_doubles(p_value)
  end;
$$;

comment on function pgthreads.has_plain_numbers(jsonb) is
  'Whether a double can hold every number in the value, and none has over 400 decimal places.';
revoke all on function pgthreads.has_plain_numbers(jsonb) from public;
grant execute on function pgthreads.has_plain_numbers(jsonb) to pgthreads_server;
