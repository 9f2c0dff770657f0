-- Whether a double can hold every number in a JSON value. has_plain_numbers() asks this where its
-- own path cannot decide. A path with a filter keeps all that it compares in memory until it ends;
-- so these are several paths with few comparisons each, and the memory of one is free before the
-- next one begins; and what one filter leaves out, the filter behind it does not compare. They look
-- only at what is neither a list nor an object (`{last}`), because a filter costs ten times what a
-- step down does: half a million nested lists took a second.

create or replace function pgthreads.fit_doubles(p_value jsonb)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  -- A path does not count a value as a part of itself.
  v_value jsonb := case
    when jsonb_typeof(p_value) = 'number' then jsonb_build_array(p_value)
    else p_value
  end;
  v_tiny jsonb;
begin
  if jsonb_path_exists(v_value, 'strict $.**{last} ? (@ > 1.7976931348623157e308)') then
    return false;
  end if;
  if jsonb_path_exists(v_value, 'strict $.**{last} ? (@ < -1.7976931348623157e308)') then
    return false;
  end if;
  -- This finds zeros as well, which may have 16,000 decimal places. It does not use
  -- jsonb_path_query(), whose time grows with the square of the number of results.
  v_tiny := jsonb_path_query_array(v_value, 'strict $.**{last} ? (@ < 1e-300) ? (@ > -1e-300)');
  return v_tiny = '[]' or not exists (
    select from jsonb_array_elements(v_tiny) as n (value) where scale(n.value::numeric) > 400
  );
end;
$$;

comment on function pgthreads.fit_doubles(jsonb) is
  'Whether a double can hold every number in the value, with 400 decimal places at most.';
revoke all on function pgthreads.fit_doubles(jsonb) from public;
grant execute on function pgthreads.fit_doubles(jsonb) to pgthreads_server;
