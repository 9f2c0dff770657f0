-- Whether a JSON value is nested no deeper than 60 levels. The value itself is the first level, its
-- elements or members are the second, and so on. This is the one limit for all that is stored as
-- JSON, so that programs in any language can read it with their defaults: the lowest known default
-- is 64 levels (.NET), the next ones are 100 (Ruby) and 128 (Rust), and a list of threads or
-- messages adds three levels around a value. Values from outside are checked by this function
-- first, because every other function goes down as deep as the value; this one stops at the 61st
-- level.

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
revoke all on function pgthreads.is_shallow(jsonb) from public, pgthreads_server;
