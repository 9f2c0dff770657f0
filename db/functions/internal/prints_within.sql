-- Whether it is safe to print a JSON value of which p_bytes of text are allowed. is_short() asks
-- this where the size as jsonb does not decide. False is certain: the text is longer, or a double
-- cannot hold a number. True means that the text is at most a few times longer, so that it can be
-- printed and counted.
--
-- Numbers between 1e-20 and 1e20 are printed with about as many digits as they were written with.
-- The others are printed one by one and counted, but never more of them than the limit leaves room
-- for. Zero is one of the others, because zeros may have 300 decimal places. There are several
-- paths for the reason that fit_doubles() gives.

create or replace function pgthreads.prints_within(p_value jsonb, p_bytes int)
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
  v_path jsonpath;
  v_numbers jsonb;
  v_bytes bigint := 0::bigint;
begin
  foreach v_path in array array[
    'strict $.**{last} ? (@ > 1e20)', 'strict $.**{last} ? (@ < -1e20)',
    'strict $.**{last} ? (@ < 1e-20) ? (@ > -1e-20) ? (@ != 0)',
    'strict $.**{last} ? (@ == 0)']::jsonpath[]
  loop
    v_numbers := jsonb_path_query_array(v_value, v_path);
    if v_numbers <> '[]' then
      -- Each of these has at least 21 digits, except for zeros, which may have one.
      if v_numbers -> 0 <> '0' and jsonb_array_length(v_numbers) > p_bytes / 21 then
        return false;
      end if;
      select (v_bytes + sum(case
        when abs(n.number) <= 1.7976931348623157e308 and scale(n.number) <= 400
          then octet_length(n.number::text)
        -- This exceeds every limit, so the number need not be printed.
        else 1000000000000
      end))::bigint
      into v_bytes
      from (
        select e.value::numeric as number from jsonb_array_elements(v_numbers) as e (value)
      ) as n;
      if v_bytes > p_bytes then
        return false;
      end if;
    end if;
  end loop;
  return true;
end;
$$;

comment on function pgthreads.prints_within(jsonb, int) is
  'Whether the value can be printed, for values that are not small; is_short() asks it.';
revoke all on function pgthreads.prints_within(jsonb, int) from public, pgthreads_server;
