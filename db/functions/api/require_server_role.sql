-- Servers call this at their start. It refuses a session that row level security would not
-- restrict, that could write to the tables directly, or for which `alter role … set` has set a
-- tenant or turned row_security off.

create or replace function pgthreads.require_server_role()
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_role pg_catalog.pg_roles;
  v_fault text;
begin
  select r.* into strict v_role from pg_catalog.pg_roles as r where r.rolname = current_user;
  v_fault := case
    when v_role.rolsuper then 'is a superuser'
    when v_role.rolbypassrls then 'has BYPASSRLS'
    when v_role.rolcreaterole then 'has CREATEROLE and so could make itself any other role'
    when pg_has_role(current_user, 'pgthreads_owner', 'member')
      then 'is a member of pgthreads_owner'
    when pg_has_role(current_user, 'pgthreads_maintenance', 'member')
      then 'is a member of pgthreads_maintenance'
    when pg_has_role(current_user, 'pgthreads_backup', 'member')
      then 'is a member of pgthreads_backup'
    when not pg_has_role(current_user, 'pgthreads_server', 'usage')
      then 'is not a member of pgthreads_server'
    when current_setting('row_security') <> 'on' then 'begins its sessions with row_security off'
    when exists (
      select
      from pg_catalog.pg_db_role_setting as s
      cross join unnest(s.setconfig) as c (setting)
      where c.setting like 'app.current_user_id=_%'
        and s.setrole in (0, session_user::regrole)
        and s.setdatabase in (
          0, (select d.oid from pg_catalog.pg_database as d where d.datname = current_database()))
    )
      then 'begins its sessions with a tenant, app.current_user_id'
  end;
  if v_fault is not null then
    raise exception 'this role must not serve clients' using
      errcode = 'insufficient_privilege',
      detail = format('Role %I %s.', current_user, v_fault),
      hint = 'Connect as a login role that no other program uses: create role app login in role'
        ' pgthreads_server.';
  end if;
  return current_user::text;
end;
$$;

comment on function pgthreads.require_server_role() is
  'Raises insufficient_privilege unless the role is a plain member of pgthreads_server.';
revoke all on function pgthreads.require_server_role() from public;
grant execute on function pgthreads.require_server_role() to pgthreads_server;
