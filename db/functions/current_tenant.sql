-- The tenant of this transaction. After a `set local` has ended the setting reads as the empty
-- string, which means no tenant just as null does.

create or replace function pgthreads.current_tenant()
returns text
language sql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select nullif(current_setting('app.current_user_id', true), '');
$$;

comment on function pgthreads.current_tenant() is
  'The tenant of this transaction, null if none is set.';
revoke all on function pgthreads.current_tenant() from public;
grant execute on function pgthreads.current_tenant() to pgthreads_server;
