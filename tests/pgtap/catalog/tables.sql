-- The rules that every table, view and column of schema pgthreads keeps.
begin;
select plan(17);

create temp view relations as
select c.*
from pg_class as c
where c.relnamespace = 'pgthreads'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S');

create temp view tables as
select r.* from relations as r where r.relkind in ('r', 'p');

-- Everybody except the owner and superusers: the roles, and a login that is a member of them.
create temp view privileges as
select r.relname, g.role, w.privilege
from relations as r
cross join (values ('pgthreads_server'), ('pgthreads_maintenance'), ('app_login')) as g (role)
cross join (
  values ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('REFERENCES'), ('TRIGGER')
) as w (privilege)
where r.relkind <> 'S' and has_table_privilege(g.role, r.oid, w.privilege);

select cmp_ok((select count(*) from tables), '>=', 6::bigint, 'there are tables to look at');
select is_empty(
  'select relname from tables where not relrowsecurity',
  'row level security is enabled on every table'
);
select is_empty(
  'select relname from tables where not relforcerowsecurity',
  'row level security is forced on every table'
);
select is_empty(
  $$
    select t.relname
    from tables as t
    where not exists (select from pg_policy as p where p.polrelid = t.oid)
  $$,
  'every table has a policy'
);
select is_empty(
  $$
    select t.relname
    from tables as t
    where not exists (
      select from pg_constraint as c where c.conrelid = t.oid and c.contype = 'p'
    )
  $$,
  'every table has a primary key'
);
select is_empty(
  $$
    select relname
    from relations
    where coalesce(btrim(obj_description(oid, 'pg_class')), '') = ''
  $$,
  'every table and view has a comment'
);
select cmp_ok(
  (
    select count(*)
    from pg_attribute
    where attrelid = 'pgthreads.config'::regclass and attnum > 0 and not attisdropped
  ),
  '>=', 5::bigint, 'config has columns to look at'
);
select is_empty(
  $$
    select attname
    from pg_attribute
    where attrelid = 'pgthreads.config'::regclass and attnum > 0 and not attisdropped
      and coalesce(btrim(col_description(attrelid, attnum)), '') = ''
  $$,
  'every column of config has a comment'
);
select is_empty(
  $$ select relname, relowner::regrole from relations
     where relowner <> 'pgthreads_owner'::regrole $$,
  'every relation belongs to pgthreads_owner'
);
select is_empty(
  $$
    select relname
    from relations
    where relkind = 'v' and not coalesce(reloptions @> array['security_invoker=true'], false)
  $$,
  'every view runs with the rights of its reader'
);
select is_empty(
  $$ select * from privileges where role in ('pgthreads_server', 'app_login') $$,
  'the server role and its members may write to no relation'
);
select is_empty(
  $$
    select r.relname, g.role, a.attname, w.privilege
    from relations as r
    join pg_attribute as a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    cross join (values ('pgthreads_server'), ('app_login')) as g (role)
    cross join (values ('INSERT'), ('UPDATE'), ('REFERENCES')) as w (privilege)
    where has_column_privilege(g.role, r.oid, a.attnum, w.privilege)
  $$,
  'the server role and its members may write to no column'
);
select is_empty(
  $$
    select r.relname, a.privilege_type
    from relations as r
    cross join aclexplode(r.relacl) as a
    where a.grantee = 0
  $$,
  'public has no right on any relation'
);
select is_empty(
  $$
    select c.conrelid::regclass, c.conname
    from pg_constraint as c
    join tables as t on t.oid = c.conrelid
    where c.contype = 'c'
      and t.relname in ('thread', 'message', 'turn')
      and pg_get_constraintdef(c.oid) ~ '~.*[{]'
  $$,
  'no check of a row that every turn writes has a counted repetition'
);
select is_empty(
  $$
    select t.relname, a.attname
    from pg_attribute as a
    join tables as t on t.oid = a.attrelid
    where t.relname = 'message' and a.attnum > 0 and a.attlen = -1 and not a.attisdropped
      and a.attstorage <> 'm'
  $$,
  'a message stays in its table as long as it fits'
);
select is_empty(
  $$
    select g.role
    from (values ('public'), ('pgthreads_server'), ('pgthreads_maintenance'), ('app_login'))
      as g (role)
    where has_schema_privilege(g.role, 'pgthreads', 'CREATE')
  $$,
  'nobody but the owner may create anything in the schema'
);
select is_empty(
  $$
    select rolname
    from pg_roles
    where rolname in ('pgthreads_owner', 'pgthreads_server', 'pgthreads_maintenance')
      and (rolcanlogin or rolsuper or rolbypassrls or rolcreaterole or rolcreatedb)
  $$,
  'no role of ours logs in, is a superuser or gets around row level security'
);

select * from finish();
rollback;
