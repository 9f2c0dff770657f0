-- Every key starts with the owner, so that the tables can be partitioned or distributed by it.
begin;
select plan(6);

-- The tables without a tenant.
create temp view exempt as
select unnest(array['migration', 'config', 'redaction_rule', 'redaction_screen', 'tenant_key',
  'tenant_secret', 'verification', 'approval_policy'])
  as relname
union all
-- Only where search is installed.
select c.relname::text
from pg_class as c
where c.relnamespace = 'pgthreads'::regnamespace and c.relname = 'search_config';

create temp view keys as
select
  t.relname, c.conname as name, c.contype as kind,
  (select a.attname from pg_attribute as a where a.attrelid = t.oid and a.attnum = c.conkey[1])
    as first_column
from pg_constraint as c
join pg_class as t on t.oid = c.conrelid
where t.relnamespace = 'pgthreads'::regnamespace
  and c.contype in ('p', 'u', 'f', 'x')
  and t.relname not in (select relname from exempt);

create temp view indexes as
select
  t.relname, i.indexrelid::regclass as name,
  (select a.attname from pg_attribute as a where a.attrelid = t.oid and a.attnum = i.indkey[0])
    as first_column
from pg_index as i
join pg_class as t on t.oid = i.indrelid
where t.relnamespace = 'pgthreads'::regnamespace
  and i.indisunique
  and t.relname not in (select relname from exempt);

select bag_has(
  $$ select relname::text from pg_class where relnamespace = 'pgthreads'::regnamespace $$,
  $$ select relname from exempt $$,
  'the exempt tables exist'
);
select cmp_ok(
  (select count(*) from keys where kind = 'p'), '>=', 3::bigint, 'there are primary keys'
);
select cmp_ok(
  (select count(*) from keys where kind = 'f'), '>=', 2::bigint, 'there are foreign keys'
);
select cmp_ok((select count(*) from indexes), '>=', 5::bigint, 'there are unique indexes');
select is_empty(
  $$ select * from keys where first_column is distinct from 'owner_user_id' $$,
  'every key and foreign key starts with owner_user_id'
);
select is_empty(
  $$ select * from indexes where first_column is distinct from 'owner_user_id' $$,
  'every unique index starts with owner_user_id'
);

select * from finish();
rollback;
