-- Whether a double can hold every number in a JSON value, and jsonb prints each about as long as it
-- was written. 1e131000 or 0e-16000 are printed as thousands of digits, so with such numbers a
-- small message could take a gigabyte of memory. The path runs in C and finds the numbers that have
-- to be looked at. fit_doubles() looks at them, and at all of a large value, for which it needs
-- less memory.
--
-- It is stable, as pg_column_size() is: the planner would not put it in the place of its call if it
-- said that it is immutable. So are is_plain_message() and is_short(), which call it.

create or replace function pgthreads.has_plain_numbers(p_value jsonb)
returns boolean
language sql
stable
parallel safe
as $$
  select case
    when pg_catalog.pg_column_size(p_value) operator(pg_catalog.>) 32768
      or pg_catalog.jsonb_typeof(p_value) operator(pg_catalog.=) 'number'
      then pgthreads.fit_doubles(p_value)
    else not pg_catalog.jsonb_path_exists(p_value, '$.**{last} ? (@.type() == "number"
        && (@ > 1e300 || @ < -1e300 || (@ > -1e-300 && @ < 1e-300)))')
      or pgthreads.fit_doubles(p_value)
  end;
$$;

comment on function pgthreads.has_plain_numbers(jsonb) is
  'Whether a double can hold every number in the value, and none has over 400 decimal places.';
revoke all on function pgthreads.has_plain_numbers(jsonb) from public;
grant execute on function pgthreads.has_plain_numbers(jsonb) to pgthreads_server;
