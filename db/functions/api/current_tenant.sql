-- The tenant of this transaction. When the effect of a `set local` has ended, the setting reads as
-- the empty string, which means no tenant, as null does. With config.require_verified_tenant only a
-- tenant counts that set_tenant has set.

create or replace function pgthreads.current_tenant()
returns text
language sql
stable
parallel restricted
set search_path = pg_catalog, pg_temp
as $$
  select case
    when pgthreads.requires_token() then pgthreads.verified_tenant()
    else nullif(current_setting('app.current_user_id', true), '')
  end;
$$;

comment on function pgthreads.current_tenant() is
  'The tenant of this transaction; null if none is set.';
revoke all on function pgthreads.current_tenant() from public;
grant execute on function pgthreads.current_tenant() to pgthreads_server;
