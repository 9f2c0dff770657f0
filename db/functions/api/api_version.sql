-- The contract's version. It is raised when clients of an older version would break.

create or replace function pgthreads.api_version()
returns int
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select 1;
$$;

comment on function pgthreads.api_version() is
  'The version of the contract of these functions.';
revoke all on function pgthreads.api_version() from public;
grant execute on function pgthreads.api_version() to pgthreads_server, pgthreads_maintenance;
