-- Whether every number in a JSON value is one that a double can hold and that is about as long in
-- jsonb's text as where it came from: 1e131000 or 0e-16000 become a text of many thousand digits, so
-- that a small message could take a gigabyte of memory. The first path finds what is worth a look,
-- and runs in C.

create or replace function pgthreads.has_plain_numbers(p_value jsonb)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if not jsonb_path_exists(p_value, 'strict $.** ? (@.type() == "number"
    && (@ > 1e300 || @ < -1e300 || (@ > -1e-300 && @ < 1e-300)))') then
    return true;
  end if;
  return not exists (
    select
    from jsonb_path_query(p_value, 'strict $.** ? (@.type() == "number")') as n (value)
    where abs(n.value::numeric) > 1.7976931348623157e308 or scale(n.value::numeric) > 400
  );
end;
$$;

comment on function pgthreads.has_plain_numbers(jsonb) is
  'Whether a double can hold every number in the value, and none has over 400 decimal places.';
revoke all on function pgthreads.has_plain_numbers(jsonb) from public;
grant execute on function pgthreads.has_plain_numbers(jsonb) to pgthreads_server;
