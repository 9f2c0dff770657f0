-- Sets the tenant for the rest of this transaction and returns it, so that one statement can set it
-- and call a function laterally. By `set local` and not set_config(), because Citus sends only the
-- former on to its workers.

create or replace function pgthreads.set_tenant(p_owner_user_id text)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_owner_user_id is null or char_length(p_owner_user_id) not between 1 and 255 then
    raise exception 'not an owner id' using
      errcode = 'THTEN',
      detail = 'An owner id has 1 to 255 characters.',
      hint = 'Pass the authenticated user''s id.';
  end if;
  execute format('set local app.current_user_id = %L', p_owner_user_id);
  return p_owner_user_id;
end;
$$;

comment on function pgthreads.set_tenant(text) is
  'Sets the tenant of this transaction and returns it.';
revoke all on function pgthreads.set_tenant(text) from public;
grant execute on function pgthreads.set_tenant(text) to pgthreads_server;
