-- Every installation begins with this. It checks the database, waits for other installations, and
-- creates the four roles and the schema, which the first of the roles owns. Roles belong to the
-- whole cluster, so they may exist already, or another installation may be creating them at this
-- moment.

-- These settings hold until the end of the installation, so that names and literals mean the same
-- whatever settings the installer's session has.
set local search_path = pg_catalog, pg_temp;
set local standard_conforming_strings = on;
set local row_security = on;

do $$
begin
  if pg_catalog.getdatabaseencoding() <> 'UTF8' then
    raise exception 'this database is not in UTF-8' using
      errcode = 'object_not_in_prerequisite_state',
      detail = format('Its encoding is %s, in which not all that people write can be stored.',
        pg_catalog.getdatabaseencoding()),
      hint = 'Use one that is: create database chat encoding ''UTF8'' template template0.';
  end if;
end;
$$;

-- Only one installation runs at a time in a database. Any login can take such a lock, so this waits
-- for at most a minute, and then names who holds it.
do $$
declare
  v_key constant bigint := 7304721120260101;
  v_lock_timeout text := current_setting('lock_timeout');
begin
  if v_lock_timeout = '0' then
    perform set_config('lock_timeout', '60s', true);
  end if;
  perform pg_advisory_xact_lock(v_key);
  perform set_config('lock_timeout', v_lock_timeout, true);
exception
  when lock_not_available then
    raise exception 'another session holds the lock of installations' using
      errcode = 'lock_not_available',
      detail = format('It is held by %s.', coalesce((
        select string_agg(format('process %s of role %s (%s)', a.pid, a.usename,
          coalesce(nullif(a.application_name, ''), 'no name')), ', ')
        from pg_catalog.pg_locks as l
        join pg_catalog.pg_stat_activity as a on a.pid = l.pid
        where l.locktype = 'advisory'
          and l.granted
          and l.database = (
            select d.oid from pg_catalog.pg_database as d where d.datname = current_database()
          )
          and l.classid::bigint = v_key >> 32
          and l.objid::bigint = v_key & 4294967295
          and l.objsubid = 1
      ), 'a session that has ended meanwhile')),
      hint = 'Nothing was changed. If that is no installation, end the session with '
        'pg_terminate_backend, and run this again.';
end;
$$;

do $$
declare
  v_role text;
begin
  foreach v_role in array array[
    'pgthreads_owner', 'pgthreads_server', 'pgthreads_maintenance', 'pgthreads_backup'
  ] loop
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

-- An installer who is not a superuser has to be able to become the owner role, in order to create
-- things as that role. Since PostgreSQL 16 whoever creates a role is a member of it, but may not
-- become it.
do $$
declare
  v_way text :=
    case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end;
begin
  if not pg_catalog.pg_has_role(current_user, 'pgthreads_owner', v_way) then
    execute format('grant pgthreads_owner to %I', current_user);
  end if;
exception
  when insufficient_privilege then
    -- Since PostgreSQL 16, CREATEROLE is not enough to grant a role that somebody else has created.
    raise exception 'role % may not become pgthreads_owner', current_user using
      errcode = 'insufficient_privilege',
      detail = format(
        'Another database of this cluster already has pgthreads, and its roles. Besides superusers,'
        ' these roles may grant pgthreads_owner: %s.',
        coalesce((
          select string_agg(distinct quote_ident(m.member::regrole::text), ', ')
          from pg_catalog.pg_auth_members as m
          where m.roleid = 'pgthreads_owner'::regrole and m.admin_option
        ), 'none')),
      hint = format('Ask one of them to run: grant pgthreads_owner to %I', current_user);
end;
$$;

-- A dump of the schema alone, which somebody has loaded here, lacks the ledger of migrations, the
-- limits and the redaction rules. If no table has ever held a row, there is nothing to keep, so
-- this removes what was loaded, and the installation begins anew. The size of a table is looked at
-- and not its rows, because row level security hides rows but no size. Nothing is removed on which
-- something outside of the schema depends, nor a schema with objects that no release has.
do $$
declare
  v_schema oid := to_regnamespace('pgthreads');
  v_used text;
  v_command text;
  v_detail text;
begin
  if to_regclass('pgthreads.migration') is null
    or to_regclass('pgthreads.config') is null
    or to_regclass('pgthreads.thread') is null
    or pg_relation_size(to_regclass('pgthreads.migration')) > 0
  then
    return;
  end if;
  v_used := (
    select string_agg(c.relname, ', ' order by c.relname)
    from pg_catalog.pg_class as c
    where c.relnamespace = v_schema and c.relkind in ('r', 'm') and pg_relation_size(c.oid) > 0
  );
  if v_used is not null then
    raise exception 'schema pgthreads has data, but no ledger of its migrations' using
      errcode = 'object_not_in_prerequisite_state',
      detail = format('These tables have been written to: %s.', v_used),
      hint = 'Restore a dump of schema and data as a whole. If this data is of no use, run'
        ' drop schema pgthreads cascade, and install again.';
  end if;
  for v_command in
    select d.command
    from (
      select 1, 'drop view ' || string_agg(c.oid::regclass::text, ', ')
      from pg_catalog.pg_class as c
      where c.relnamespace = v_schema and c.relkind = 'v'
      union all
      select 2, 'drop table ' || string_agg(c.oid::regclass::text, ', ')
      from pg_catalog.pg_class as c
      where c.relnamespace = v_schema and c.relkind in ('r', 'p') and not c.relispartition
      union all
      select 3, 'drop routine ' || string_agg(p.oid::regprocedure::text, ', ')
      from pg_catalog.pg_proc as p
      where p.pronamespace = v_schema
      union all
      select 4, 'drop schema pgthreads'
    ) as d (place, command)
    where d.command is not null
    order by d.place
  loop
    execute v_command;
  end loop;
exception
  when dependent_objects_still_exist then
    get stacked diagnostics v_detail = pg_exception_detail;
    raise exception 'schema pgthreads was loaded without its data, and cannot be installed again'
      using
      errcode = 'object_not_in_prerequisite_state',
      detail = v_detail,
      hint = 'Drop what depends on the schema, install, and create it again. Leave the schema out'
        ' of dumps that are loaded elsewhere: pg_dump -N pgthreads.';
end;
$$;

create schema if not exists pgthreads authorization pgthreads_owner;

-- A comment is only written where it differs. Since PostgreSQL 16 that takes the admin option on
-- the role, and somebody else may have created the roles for another database of the cluster.
do $$
declare
  v_role text;
  v_comment text;
begin
  for v_role, v_comment in
    values
      ('pgthreads_owner',
        'Owns everything in schema pgthreads; row level security is forced on it too.'),
      ('pgthreads_server',
        'Runtime role: calls the functions, reads its tenant''s rows, writes nothing directly.'),
      ('pgthreads_maintenance',
        'Operators: purge, erase, reap and statistics, across tenants.'),
      ('pgthreads_backup',
        'Backups: reads every row of every table, for pg_dump.')
  loop
    if pg_catalog.shobj_description(v_role::regrole, 'pg_authid') is distinct from v_comment then
      execute format('comment on role %I is %L', v_role, v_comment);
    end if;
  end loop;
end;
$$;
