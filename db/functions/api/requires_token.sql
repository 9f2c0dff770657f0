-- config.require_verified_tenant as a function that the planner can see through: policies and
-- functions ask it at no cost. refresh_tenancy() writes it anew when the switch is turned. It is
-- stable, so that plans made of it are made anew, too; and it reads nothing, so no search_path.

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
