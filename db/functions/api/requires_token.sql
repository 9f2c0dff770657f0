-- config.require_verified_tenant as a function that the planner can see through, so that policies
-- and functions can ask it at no cost. refresh_tenancy() replaces this function when the setting
-- changes. The function is stable, so that plans that used it are made again; and it reads nothing,
-- so it needs no search_path.

create or replace function pgthreads.requires_token()
returns boolean
language sql
stable
parallel safe
as $$
  select false;
$$;

comment on function pgthreads.requires_token() is
  'Whether set_tenant wants a signed token: config.require_verified_tenant.';
revoke all on function pgthreads.requires_token() from public;
grant execute on function pgthreads.requires_token() to pgthreads_server;
