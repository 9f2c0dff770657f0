-- The three roles, and the schema that the first of them owns. Roles belong to the whole cluster,
-- so they may exist already, or be made by another installation at this very moment.

do $$
declare
  v_role text;
begin
  foreach v_role in array array['pgthreads_owner', 'pgthreads_server', 'pgthreads_maintenance'] loop
    if not exists (select from pg_catalog.pg_roles as r where r.rolname = v_role) then
      begin
        execute format('create role %I nologin nosuperuser nobypassrls', v_role);
      exception
        when duplicate_object or unique_violation then
          null;
      end;
    end if;
  end loop;
end;
$$;

-- An installer who is not a superuser has to be a member of the owner to create things as it.
do $$
begin
  if not pg_catalog.pg_has_role(current_user, 'pgthreads_owner', 'member') then
    execute format('grant pgthreads_owner to %I', current_user);
  end if;
end;
$$;

create schema if not exists pgthreads authorization pgthreads_owner;

comment on role pgthreads_owner is
  'Owns everything in schema pgthreads; row level security is forced on it too.';
comment on role pgthreads_server is
  'Runtime role: calls the functions, reads its tenant''s rows, writes nothing directly.';
comment on role pgthreads_maintenance is
  'Operators: purge, erase, reap and statistics, across tenants.';
