-- Whether a double can hold every number in a JSON value: what has_plain_numbers() asks where its first
-- look found very large or very small ones, or zero.

create or replace function pgthreads.fit_doubles(p_value jsonb)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return not exists (
    select
    from jsonb_path_query(p_value, 'strict $.** ? (@.type() == "number")') as n (value)
    where abs(n.value::numeric) > 1.7976931348623157e308 or scale(n.value::numeric) > 400
  );
end;
$$;

comment on function pgthreads.fit_doubles(jsonb) is
  'Whether every number in the value fits a double and has no more than 400 decimal places.';
revoke all on function pgthreads.fit_doubles(jsonb) from public;
grant execute on function pgthreads.fit_doubles(jsonb) to pgthreads_server;
