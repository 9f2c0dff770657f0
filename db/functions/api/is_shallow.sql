-- Whether a JSON value is nested no deeper than 60 levels: itself is the first, what a list or an
-- object in it holds the second, and so on. The one limit for all that is stored as JSON, so that
-- whoever reads it with the defaults of its language can: the lowest of them known is 64 levels
-- (.NET), next are 100 (Ruby) and 128 (Rust), and a list of threads or messages adds three levels
-- around a value. Asked before any other look at a value from outside, because those go down as
-- deep as it is; this one stops at the 61st level.

create or replace function pgthreads.is_shallow(p_value jsonb)
returns boolean
language sql
immutable
parallel safe
as $$
  select not pg_catalog.jsonb_path_exists(p_value, '$.**{60}');
$$;

comment on function pgthreads.is_shallow(jsonb) is
  'Whether the value is nested no deeper than 60 levels, the limit for all that is stored.';
revoke all on function pgthreads.is_shallow(jsonb) from public;
grant execute on function pgthreads.is_shallow(jsonb) to pgthreads_server;
