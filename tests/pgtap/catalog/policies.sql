-- The rules that every policy of schema pgthreads keeps: TENANT_SCOPED.
begin;
select plan(10);

create temp view policies as
select
  p.*,
  c.relname || '.' || p.polname as name,
  exists (
    select
    from pg_attribute as a
    where a.attrelid = c.oid and a.attname = 'owner_user_id' and not a.attisdropped
  ) as of_tenant,
  e.expression,
  coalesce(p.polqual::text, '') || coalesce(p.polwithcheck::text, '') as tree
from pg_policy as p
join pg_class as c on c.oid = p.polrelid
cross join lateral (
  values (pg_get_expr(p.polqual, p.polrelid)), (pg_get_expr(p.polwithcheck, p.polrelid))
) as e (expression)
where c.relnamespace = 'pgthreads'::regnamespace and e.expression is not null;

select cmp_ok((select count(*) from policies), '>=', 6::bigint, 'there are policies to look at');
select cmp_ok(
  (select count(*) from policies where of_tenant), '>=', 4::bigint,
  'there are policies of tenants'' tables to look at'
);
select is_empty(
  $$
    select name, expression
    from policies
    where polcmd <> 'r' and (tree like '%{SUBLINK%' or expression ~* '\mselect\M')
  $$,
  'policies that a write meets are flat'
);
select is_empty(
  $$
    select name, expression
    from policies
    where of_tenant
      and not polroles <@ array['pgthreads_maintenance', 'pgthreads_backup']::regrole[]::oid[]
      -- Whoever has the token of a link has no tenant. read_share/isolation.sql tests this policy.
      and (name, expression) is distinct from (
        'share.share_token',
        '(token_sha256 = sha256(convert_to(NULLIF(current_setting(''app.share_token''::text, '
          || 'true), ''''::text), ''UTF8''::name)))'
      )
      and strpos(
        expression,
        '(owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text))'
      ) = 0
  $$,
  'policies of tenants'' tables compare the owner with the setting, and '''' with nobody'
);
select is_empty(
  $$ select name, expression from policies where expression ~* '\mor\M' $$,
  'no policy has a way around that comparison'
);
select is_empty(
  $$
    select name, r.role::regrole
    from policies, unnest(polroles) as r (role)
    where not of_tenant and r.role::regrole::text
      not in ('pgthreads_owner', 'pgthreads_maintenance', 'pgthreads_backup')
  $$,
  'tables without tenants are open to the owner, to maintenance and to backups alone'
);
select is_empty(
  $$ select name from policies where 0 = any (polroles) $$,
  'no policy is for public'
);
select is_empty(
  $$
    select name, polcmd
    from policies
    where 'pgthreads_server'::regrole = any (polroles) and polcmd <> 'r'
  $$,
  'the server role''s policies are for SELECT alone'
);

select is_empty(
  $$
    select c.relname
    from pg_class as c
    where c.relnamespace = 'pgthreads'::regnamespace and c.relkind in ('r', 'p')
      and not (
        has_table_privilege('pgthreads_backup', c.oid, 'SELECT')
        and exists (
          select
          from policies as p
          where p.polrelid = c.oid and p.polroles = array['pgthreads_backup'::regrole::oid]
            and p.polcmd = 'r' and p.expression = 'true'
        )
      )
  $$,
  'a backup reads every row of every table'
);
select is_empty(
  $$
    select c.relname, w.privilege
    from pg_class as c
    cross join (
      values ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('REFERENCES'), ('TRIGGER')
    ) as w (privilege)
    where c.relnamespace = 'pgthreads'::regnamespace and c.relkind <> 'S'
      and has_table_privilege('pgthreads_backup', c.oid, w.privilege)
    union all
    select p.proname, 'EXECUTE'
    from pg_proc as p
    where p.pronamespace = 'pgthreads'::regnamespace
      and has_function_privilege('pgthreads_backup', p.oid, 'EXECUTE')
  $$,
  'and does nothing else'
);

select * from finish();
rollback;
