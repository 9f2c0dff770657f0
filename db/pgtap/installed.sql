-- The installed suite: pgTAP for a database that is in use. It checks that schema pgthreads is as
-- this release made it, and that its functions keep their promises to an owner who exists for this
-- transaction alone. It takes some seconds and is right under live traffic: it takes no lock that a
-- call waits for, reads no other owner's rows, and ends with a rollback.
--
--   pg_prove -d chat db/pgtap/installed.sql
--   psql -X -q -A -t -v ON_ERROR_STOP=1 -d chat -f db/pgtap/installed.sql
--   pgthreads doctor --pgtap --database-url postgresql://dba@localhost/chat
--
-- Run it on the primary, as a role that is a member of pgthreads_server and pgthreads_maintenance.
-- It uses pgTAP where the database has it, in whatever schema. Otherwise it creates the extension,
-- inside of the transaction: for that the role needs CREATE on the database.
--
-- With config.require_verified_tenant it needs a tenant token of an owner without threads, in the
-- setting pgthreads.pgtap_tenant: PGOPTIONS="-c pgthreads.pgtap_tenant=…". A member of
-- pgthreads_owner needs none.

begin;
set local client_min_messages = warning;
set local statement_timeout = '60s';
set local lock_timeout = '2s';
set local idle_in_transaction_session_timeout = '60s';
set local jit = off;
set local standard_conforming_strings = on;
set local datestyle = iso;
set local intervalstyle = postgres;
set local search_path = pg_catalog;

do $$
declare
  v_role text;
  v_way text :=
    case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end;
  v_schema text;
begin
  if to_regnamespace('pgthreads') is null then
    raise exception 'the schema pgthreads is not in this database' using
      hint = 'Connect to the database that has it, or install it: db/install.sql.';
  end if;
  foreach v_role in array array['pgthreads_server', 'pgthreads_maintenance'] loop
    if not pg_has_role(current_user, v_role, v_way) then
      raise exception 'the role % may not become %', current_user, v_role using
        errcode = 'insufficient_privilege',
        hint = format('An administrator runs: grant pgthreads_server, pgthreads_maintenance to %I',
          current_user);
    end if;
  end loop;
  select n.nspname into v_schema
  from pg_proc as p
  join pg_namespace as n on n.oid = p.pronamespace
  where p.proname = 'no_plan' and p.pronargs = 0
    and exists (
      select from pg_proc as f
      where f.pronamespace = n.oid and f.proname = 'is_empty' and f.pronargs = 2
    )
  order by has_schema_privilege(n.oid, 'usage') desc
  limit 1;
  if v_schema is null then
    if not exists (select from pg_available_extensions as e where e.name = 'pgtap') then
      raise exception 'pgTAP is neither in this database nor on its server' using
        errcode = 'undefined_function',
        hint = 'Install its package on the server (Debian: postgresql-15-pgtap), or load'
          ' pgtap.sql into a schema of this database; it is SQL alone.';
    end if;
    if not has_database_privilege(current_database(), 'create') then
      raise exception 'pgTAP is not in this database, and % may not create it', current_user using
        errcode = 'insufficient_privilege',
        hint = format('Its owner runs: create extension pgtap; or grant create on database %I to %I',
          current_database(), current_user);
    end if;
    v_schema := format('pgthreads_pgtap_%s', pg_backend_pid());
    execute format('create schema %I', v_schema);
    execute format('create extension pgtap schema %I', v_schema);
  end if;
  perform set_config('search_path', format('pg_catalog, %I', v_schema), true);
end;
$$;

-- What the catalogue says about the schema, a fact a row.
create temp view present as
with roles as (
  select r.oid, r.rolname from pg_roles as r
),
relations as (
  select
    c.oid, c.relname, c.relacl, c.relowner, c.relrowsecurity, c.relforcerowsecurity,
    c.relpersistence, c.reloptions,
    case c.relkind when 'p' then 'r' else c.relkind end as kind
  from pg_class as c
  where c.relnamespace = to_regnamespace('pgthreads')
    and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    and not c.relispartition
),
functions as (
  select
    p.*, pg_get_function_identity_arguments(p.oid) as identity,
    coalesce(p.proacl, acldefault('f', p.proowner)) as acl
  from pg_proc as p
  where p.pronamespace = to_regnamespace('pgthreads')
)
select 'schema' as kind, n.nspname::text as name, concat_ws('; ',
  'owner ' || pg_get_userbyid(n.nspowner),
  (
    select string_agg(concat_ws(' ', coalesce(r.rolname, 'public'), lower(a.privilege_type)), ', '
      order by r.rolname, a.privilege_type)
    from aclexplode(n.nspacl) as a
    left join roles as r on r.oid = a.grantee
    where a.grantee <> n.nspowner
  )) as fact
from pg_namespace as n
where n.oid = to_regnamespace('pgthreads')
union all
select 'role', r.rolname, concat_ws(' ',
  case when r.rolcanlogin then 'login' else 'nologin' end,
  case when r.rolsuper then 'superuser' end,
  case when r.rolbypassrls then 'bypassrls' end,
  case when r.rolcreaterole then 'createrole' end,
  case when r.rolcreatedb then 'createdb' end,
  case when r.rolreplication then 'replication' end)
from pg_roles as r
where r.rolname in
  ('pgthreads_owner', 'pgthreads_server', 'pgthreads_maintenance', 'pgthreads_backup')
union all
select 'function', format('%s(%s)', f.proname, f.identity), concat_ws('; ',
  nullif(format('arguments %s', pg_get_function_arguments(f.oid)), 'arguments ' || f.identity),
  'returns ' || pg_get_function_result(f.oid),
  case when f.prorows = 1 then 'rows 1' end,
  l.lanname,
  case f.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
  case f.proparallel when 's' then 'parallel safe' end,
  case when f.prosecdef then 'security definer' end,
  nullif(array_to_string(array(select c from unnest(f.proconfig) as c order by c), '; '), ''),
  'owner ' || pg_get_userbyid(f.proowner),
  'execute ' || (
    select string_agg(
      coalesce(r.rolname, 'public') || case when a.is_grantable then '*' else '' end, ', '
      order by r.rolname)
    from aclexplode(f.acl) as a
    left join roles as r on r.oid = a.grantee
    where a.grantee <> f.proowner
  ),
  -- Not that of requires_token(), which the switch of verified tenancy writes anew.
  case when f.prosrc <> '' and f.proname <> 'requires_token' then 'body ' || md5(f.prosrc) end)
from functions as f
join pg_language as l on l.oid = f.prolang
union all
select case r.kind when 'r' then 'table' when 'v' then 'view' else 'relation' end, r.relname,
  concat_ws('; ',
    'owner ' || pg_get_userbyid(r.relowner),
    case r.relpersistence when 'u' then 'unlogged' end,
    case when r.relrowsecurity then 'row level security' end,
    case when r.relforcerowsecurity then 'forced' end,
    case when r.kind = 'v' then array_to_string(r.reloptions, '; ') end,
    (
      select string_agg(g.grantee || ' ' || g.privileges, '; ' order by g.grantee)
      from (
        select coalesce(o.rolname, 'public') as grantee,
          string_agg(lower(a.privilege_type) || case when a.is_grantable then '*' else '' end, ', '
            order by a.privilege_type) as privileges
        from aclexplode(r.relacl) as a
        left join roles as o on o.oid = a.grantee
        where a.grantee <> r.relowner
        group by o.rolname
      ) as g
    ))
from relations as r
union all
select 'column', format('%s.%s', r.relname, a.attname), concat_ws('; ',
  format_type(a.atttypid, a.atttypmod),
  case when a.attnotnull then 'not null' end,
  'default ' || pg_get_expr(d.adbin, d.adrelid),
  'collate ' || case when a.attcollation <> t.typcollation then l.collname end,
  (
    select string_agg(concat_ws(' ', coalesce(o.rolname, 'public'), lower(x.privilege_type)), ', '
      order by o.rolname, x.privilege_type)
    from aclexplode(a.attacl) as x
    left join roles as o on o.oid = x.grantee
  ))
from relations as r
join pg_attribute as a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
join pg_type as t on t.oid = a.atttypid
left join pg_collation as l on l.oid = a.attcollation
left join pg_attrdef as d on d.adrelid = r.oid and d.adnum = a.attnum
union all
select 'constraint', format('%s.%s', r.relname, c.conname), concat_ws('; ',
  pg_get_constraintdef(c.oid), case when not c.convalidated then 'not validated' end)
from relations as r
join pg_constraint as c on c.conrelid = r.oid
where c.contype in ('p', 'u', 'f', 'c', 'x') and c.conparentid = 0
union all
select 'index', i.indexrelid::regclass::text, concat_ws('; ',
  replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON '),
  case when not i.indisvalid then 'invalid' end)
from relations as r
join pg_index as i on i.indrelid = r.oid
where not exists (select from pg_constraint as c where c.conindid = i.indexrelid)
union all
select 'policy', format('%s.%s', r.relname, p.polname), concat_ws('; ',
  case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update'
    when 'd' then 'delete' else 'all' end,
  case when not p.polpermissive then 'restrictive' end,
  'to ' || array_to_string(array(
    select coalesce(o.rolname, 'public')
    from unnest(p.polroles) as g (oid)
    left join roles as o on o.oid = g.oid
    order by 1), ', '),
  'using ' || regexp_replace(pg_get_expr(p.polqual, p.polrelid), '\s+', ' ', 'g'),
  'check ' || regexp_replace(pg_get_expr(p.polwithcheck, p.polrelid), '\s+', ' ', 'g'))
from relations as r
join pg_policy as p on p.polrelid = r.oid
union all
select 'trigger', format('%s.%s', r.relname, t.tgname), concat_ws('; ',
  pg_get_triggerdef(t.oid),
  case t.tgenabled when 'O' then 'enabled' when 'A' then 'enabled' else 'NOT ENABLED' end)
from relations as r
join pg_trigger as t on t.tgrelid = r.oid
where not t.tgisinternal and t.tgparentid = 0;

-- The same as this release made it; part search belongs to db/optional/search.
create temp table released (part text, kind text, name text, fact text);
-- released: written by make manifest, do not edit
insert into released values
  ('core', 'column', 'ai_threads.created_at', 'timestamp with time zone'),
  ('core', 'column', 'ai_threads.deleted_at', 'timestamp with time zone'),
  ('core', 'column', 'ai_threads.id', 'uuid'),
  ('core', 'column', 'ai_threads.messages', 'jsonb'),
  ('core', 'column', 'ai_threads.metadata', 'jsonb'),
  ('core', 'column', 'ai_threads.owner_user_id', 'text; collate C'),
  ('core', 'column', 'ai_threads.state_key', 'text; collate C'),
  ('core', 'column', 'ai_threads.updated_at', 'timestamp with time zone'),
  ('core', 'column', 'approval_policy.reason', 'text'),
  ('core', 'column', 'approval_policy.role_name', 'name; not null'),
  ('core', 'column', 'approval_policy.tool_name', 'text; not null'),
  ('core', 'column', 'config.late_answers_kept', 'interval; default ''90 days''::interval'),
  ('core', 'column', 'config.lease', 'interval; not null; default ''00:01:00''::interval'),
  ('core', 'column', 'config.max_message_bytes', 'integer; not null; default 1048576'),
  ('core', 'column', 'config.max_messages', 'integer; not null; default 10000'),
  ('core', 'column', 'config.max_page_bytes', 'integer; not null; default 4194304'),
  ('core', 'column', 'config.max_partial_bytes', 'integer; not null; default 8388608'),
  ('core', 'column', 'config.max_prompt_bytes', 'integer; not null; default 4194304'),
  ('core', 'column', 'config.max_queued', 'integer; not null; default 8'),
  ('core', 'column', 'config.max_queued_per_owner', 'integer; default 100'),
  ('core', 'column', 'config.max_share_age', 'interval; not null; default ''365 days''::interval'),
  ('core', 'column', 'config.max_turns_per_owner', 'integer; default 100'),
  ('core', 'column', 'config.max_wait', 'interval; default ''7 days''::interval'),
  ('core', 'column', 'config.only_row', 'boolean; not null; default true'),
  ('core', 'column', 'config.purge_after', 'interval; not null; default ''90 days''::interval'),
  ('core', 'column', 'config.redaction_first_look', 'text'),
  ('core', 'column', 'config.redaction_screen', 'text'),
  ('core', 'column', 'config.require_verified_tenant', 'boolean; not null; default false'),
  ('core', 'column', 'config.show_usage', 'boolean; not null; default false'),
  ('core', 'column', 'config.turns_kept', 'interval; default ''90 days''::interval'),
  ('core', 'column', 'journal.created_at', 'timestamp with time zone; not null; default clock_timestamp(); pgthreads_maintenance select'),
  ('core', 'column', 'journal.end_offset', 'integer; not null'),
  ('core', 'column', 'journal.frames', 'text; not null'),
  ('core', 'column', 'journal.owner_user_id', 'text; not null; collate C; pgthreads_maintenance select'),
  ('core', 'column', 'journal.start_offset', 'integer; not null'),
  ('core', 'column', 'journal.state_key', 'text; not null; collate C; pgthreads_maintenance select'),
  ('core', 'column', 'journal.turn_id', 'text; not null; collate C; pgthreads_maintenance select'),
  ('core', 'column', 'late_answer.bytes', 'integer; not null'),
  ('core', 'column', 'late_answer.created_at', 'timestamp with time zone; not null; default clock_timestamp()'),
  ('core', 'column', 'late_answer.message', 'text; not null'),
  ('core', 'column', 'late_answer.owner_user_id', 'text; not null; collate C'),
  ('core', 'column', 'late_answer.reason', 'text; not null'),
  ('core', 'column', 'late_answer.sqlstate', 'text'),
  ('core', 'column', 'late_answer.state_key', 'text; not null; collate C'),
  ('core', 'column', 'late_answer.turn_id', 'text; not null; collate C'),
  ('core', 'column', 'message.bytes', 'integer'),
  ('core', 'column', 'message.created_at', 'timestamp with time zone; not null; default clock_timestamp()'),
  ('core', 'column', 'message.digest', 'bytea; not null'),
  ('core', 'column', 'message.message', 'json; not null'),
  ('core', 'column', 'message.message_id', 'text; not null; collate C'),
  ('core', 'column', 'message.owner_user_id', 'text; not null; collate C'),
  ('core', 'column', 'message.parent_seq', 'integer'),
  ('core', 'column', 'message.seq', 'integer; not null'),
  ('core', 'column', 'message.state_key', 'text; not null; collate C'),
  ('core', 'column', 'migration.applied_at', 'timestamp with time zone; not null; default clock_timestamp()'),
  ('core', 'column', 'migration.checksum', 'text; not null'),
  ('core', 'column', 'migration.name', 'text; not null'),
  ('core', 'column', 'open_answer.calls', 'jsonb; not null'),
  ('core', 'column', 'open_answer.continued_by', 'text; collate C'),
  ('core', 'column', 'open_answer.digest', 'bytea; not null'),
  ('core', 'column', 'open_answer.message', 'json; not null'),
  ('core', 'column', 'open_answer.message_id', 'text; not null; collate C'),
  ('core', 'column', 'open_answer.open_since', 'timestamp with time zone; not null; default clock_timestamp()'),
  ('core', 'column', 'open_answer.owner_user_id', 'text; not null; collate C'),
  ('core', 'column', 'open_answer.state_key', 'text; not null; collate C'),
  ('core', 'column', 'open_answer.turn_id', 'text; not null; collate C'),
  ('core', 'column', 'open_answer.user_seq', 'integer; not null'),
  ('core', 'column', 'open_turns.age', 'interval'),
  ('core', 'column', 'open_turns.lease_left', 'interval'),
  ('core', 'column', 'open_turns.lease_until', 'timestamp with time zone'),
  ('core', 'column', 'open_turns.owner_user_id', 'text; collate C'),
  ('core', 'column', 'open_turns.started_at', 'timestamp with time zone'),
  ('core', 'column', 'open_turns.state_key', 'text; collate C'),
  ('core', 'column', 'open_turns.stop_requested_at', 'timestamp with time zone'),
  ('core', 'column', 'open_turns.turn_id', 'text; collate C'),
  ('core', 'column', 'owner_usage.bytes', 'bigint'),
  ('core', 'column', 'owner_usage.deleted_threads', 'bigint'),
  ('core', 'column', 'owner_usage.messages', 'bigint'),
  ('core', 'column', 'owner_usage.owner_user_id', 'text; collate C'),
  ('core', 'column', 'owner_usage.threads', 'bigint'),
  ('core', 'column', 'owner_usage.turns', 'bigint'),
  ('core', 'column', 'owner_usage.updated_at', 'timestamp with time zone'),
  ('core', 'column', 'owner_usage.usage', 'jsonb'),
  ('core', 'column', 'queued_turn.expires_at', 'timestamp with time zone; not null'),
  ('core', 'column', 'queued_turn.message_id', 'text; not null; collate C'),
  ('core', 'column', 'queued_turn.owner_user_id', 'text; not null; collate C'),
  ('core', 'column', 'queued_turn.state_key', 'text; not null; collate C'),
  ('core', 'column', 'queued_turn.ticket', 'integer; not null'),
  ('core', 'column', 'redaction_rule.category', 'text; not null'),
  ('core', 'column', 'redaction_rule.enabled', 'boolean; not null; default true'),
  ('core', 'column', 'redaction_rule.example', 'text'),
  ('core', 'column', 'redaction_rule.first_look', 'text'),
  ('core', 'column', 'redaction_rule.min_length', 'integer; not null; default 0'),
  ('core', 'column', 'redaction_rule.name', 'text; not null'),
  ('core', 'column', 'redaction_rule.needles', 'text[]'),
  ('core', 'column', 'redaction_rule.ordering', 'integer; not null'),
  ('core', 'column', 'redaction_rule.pattern', 'text; not null'),
  ('core', 'column', 'redaction_rule.replacement', 'text; not null'),
  ('core', 'column', 'redaction_rule.screen', 'text; not null'),
  ('core', 'column', 'redaction_rule.verifier', 'text'),
  ('core', 'column', 'redaction_screen.first_look', 'text; not null'),
  ('core', 'column', 'redaction_screen.folded', 'text; not null'),
  ('core', 'column', 'redaction_screen.only_row', 'boolean; not null; default true'),
  ('core', 'column', 'redaction_screen.screen', 'text; not null'),
  ('core', 'column', 'retention.owner_user_id', 'text; not null; collate C'),
  ('core', 'column', 'retention.purge_after', 'interval'),
  ('core', 'column', 'retention.reason', 'text'),
  ('core', 'column', 'share.created_at', 'timestamp with time zone; not null; default clock_timestamp()'),
  ('core', 'column', 'share.expires_at', 'timestamp with time zone; not null'),
  ('core', 'column', 'share.head_seq', 'integer; not null'),
  ('core', 'column', 'share.owner_user_id', 'text; not null; collate C'),
  ('core', 'column', 'share.revoked_at', 'timestamp with time zone'),
  ('core', 'column', 'share.share_id', 'text; not null; collate C'),
  ('core', 'column', 'share.state_key', 'text; not null; collate C'),
  ('core', 'column', 'share.title', 'text'),
  ('core', 'column', 'share.token_sha256', 'bytea; not null'),
  ('core', 'column', 'tenant_key.active_from', 'timestamp with time zone; not null; default clock_timestamp()'),
  ('core', 'column', 'tenant_key.active_until', 'timestamp with time zone; not null; default ''infinity''::timestamp with time zone'),
  ('core', 'column', 'tenant_key.id', 'text; not null'),
  ('core', 'column', 'tenant_key.key', 'bytea; not null; default sha256(((uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) || uuid_send(gen_random_uuid())))'),
  ('core', 'column', 'tenant_secret.only_row', 'boolean; not null; default true'),
  ('core', 'column', 'tenant_secret.secret', 'bytea; not null; default sha256(((uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) || uuid_send(gen_random_uuid())))'),
  ('core', 'column', 'thread.archived_at', 'timestamp with time zone'),
  ('core', 'column', 'thread.created_at', 'timestamp with time zone; not null; default clock_timestamp()'),
  ('core', 'column', 'thread.deleted_at', 'timestamp with time zone'),
  ('core', 'column', 'thread.head_digest', 'bytea; not null; default ''\x''::bytea'),
  ('core', 'column', 'thread.id', 'uuid; not null; default gen_random_uuid()'),
  ('core', 'column', 'thread.message_count', 'integer; not null; default 0'),
  ('core', 'column', 'thread.metadata', 'jsonb; not null; default ''{}''::jsonb'),
  ('core', 'column', 'thread.open_since', 'timestamp with time zone'),
  ('core', 'column', 'thread.owner_user_id', 'text; not null; collate C'),
  ('core', 'column', 'thread.recent_at', 'timestamp with time zone; not null; default clock_timestamp()'),
  ('core', 'column', 'thread.state_key', 'text; not null; collate C'),
  ('core', 'column', 'thread.title', 'text'),
  ('core', 'column', 'thread.touched_xid', 'xid8'),
  ('core', 'column', 'thread.updated_at', 'timestamp with time zone; not null; default clock_timestamp(); pgthreads_maintenance update'),
  ('core', 'column', 'tool_response.input_sha256', 'text; not null'),
  ('core', 'column', 'tool_response.kind', 'text; not null'),
  ('core', 'column', 'tool_response.message_id', 'text; not null; collate C'),
  ('core', 'column', 'tool_response.owner_user_id', 'text; not null; collate C'),
  ('core', 'column', 'tool_response.responded_at', 'timestamp with time zone; not null; default clock_timestamp()'),
  ('core', 'column', 'tool_response.responded_by', 'text; not null'),
  ('core', 'column', 'tool_response.response', 'jsonb; not null'),
  ('core', 'column', 'tool_response.state_key', 'text; not null; collate C'),
  ('core', 'column', 'tool_response.tool_call_id', 'text; not null; collate C'),
  ('core', 'column', 'tool_response.tool_name', 'text; not null'),
  ('core', 'column', 'turn.assistant_message_id', 'text; collate C'),
  ('core', 'column', 'turn.begun_count', 'integer'),
  ('core', 'column', 'turn.continues', 'text; collate C'),
  ('core', 'column', 'turn.error_code', 'text'),
  ('core', 'column', 'turn.finished_at', 'timestamp with time zone; pgthreads_maintenance update'),
  ('core', 'column', 'turn.lease_until', 'timestamp with time zone; not null'),
  ('core', 'column', 'turn.owner_user_id', 'text; not null; collate C'),
  ('core', 'column', 'turn.started_at', 'timestamp with time zone; not null; default clock_timestamp()'),
  ('core', 'column', 'turn.state_key', 'text; not null; collate C'),
  ('core', 'column', 'turn.status', 'text; not null; default ''running''::text; pgthreads_maintenance update'),
  ('core', 'column', 'turn.stop_requested_at', 'timestamp with time zone'),
  ('core', 'column', 'turn.turn_id', 'text; not null; collate C'),
  ('core', 'column', 'turn.usage', 'jsonb'),
  ('core', 'column', 'turn.user_seq', 'integer; not null'),
  ('core', 'column', 'usage_total.month', 'date; not null'),
  ('core', 'column', 'usage_total.owner_user_id', 'text; not null; collate C'),
  ('core', 'column', 'usage_total.turns', 'bigint; not null'),
  ('core', 'column', 'usage_total.usage', 'jsonb; not null; default ''{}''::jsonb'),
  ('core', 'column', 'verification.bad', 'bigint; not null'),
  ('core', 'column', 'verification.finished_at', 'timestamp with time zone; not null; default clock_timestamp()'),
  ('core', 'column', 'verification.only_row', 'boolean; not null; default true'),
  ('core', 'column', 'verification.threads', 'bigint; not null'),
  ('core', 'constraint', 'approval_policy.approval_policy_pkey', 'PRIMARY KEY (tool_name, role_name)'),
  ('core', 'constraint', 'approval_policy.approval_policy_tool_name_check', 'CHECK (((char_length(tool_name) >= 1) AND (char_length(tool_name) <= 256)))'),
  ('core', 'constraint', 'config.config_late_answers_kept_check', 'CHECK ((late_answers_kept >= ''00:00:00''::interval))'),
  ('core', 'constraint', 'config.config_lease_check', 'CHECK ((lease > ''00:00:00''::interval))'),
  ('core', 'constraint', 'config.config_max_message_bytes_check', 'CHECK ((max_message_bytes > 0))'),
  ('core', 'constraint', 'config.config_max_messages_check', 'CHECK ((max_messages > 0))'),
  ('core', 'constraint', 'config.config_max_page_bytes_check', 'CHECK ((max_page_bytes > 0))'),
  ('core', 'constraint', 'config.config_max_partial_bytes_check', 'CHECK ((max_partial_bytes > 0))'),
  ('core', 'constraint', 'config.config_max_prompt_bytes_check', 'CHECK ((max_prompt_bytes > 0))'),
  ('core', 'constraint', 'config.config_max_queued_check', 'CHECK ((max_queued >= 0))'),
  ('core', 'constraint', 'config.config_max_queued_per_owner_check', 'CHECK ((max_queued_per_owner >= 0))'),
  ('core', 'constraint', 'config.config_max_share_age_check', 'CHECK ((max_share_age >= ''00:00:00''::interval))'),
  ('core', 'constraint', 'config.config_max_turns_per_owner_check', 'CHECK ((max_turns_per_owner >= 0))'),
  ('core', 'constraint', 'config.config_max_wait_check', 'CHECK ((max_wait > ''00:00:00''::interval))'),
  ('core', 'constraint', 'config.config_only_row_check', 'CHECK (only_row)'),
  ('core', 'constraint', 'config.config_pkey', 'PRIMARY KEY (only_row)'),
  ('core', 'constraint', 'config.config_purge_after_check', 'CHECK ((purge_after >= ''00:00:00''::interval))'),
  ('core', 'constraint', 'config.config_turns_kept_check', 'CHECK ((turns_kept >= ''1 day''::interval))'),
  ('core', 'constraint', 'journal.journal_end_offset_check', 'CHECK ((end_offset > start_offset))'),
  ('core', 'constraint', 'journal.journal_pkey', 'PRIMARY KEY (owner_user_id, state_key, turn_id, start_offset)'),
  ('core', 'constraint', 'journal.journal_start_offset_check', 'CHECK ((start_offset >= 0))'),
  ('core', 'constraint', 'late_answer.late_answer_pkey', 'PRIMARY KEY (owner_user_id, state_key, turn_id)'),
  ('core', 'constraint', 'message.message_message_id_key', 'UNIQUE (owner_user_id, state_key, message_id)'),
  ('core', 'constraint', 'message.message_parent_seq_check', 'CHECK (((parent_seq >= 0) AND (parent_seq < seq)))'),
  ('core', 'constraint', 'message.message_pkey', 'PRIMARY KEY (owner_user_id, state_key, seq)'),
  ('core', 'constraint', 'message.message_seq_check', 'CHECK ((seq > 0))'),
  ('core', 'constraint', 'message.message_thread_fkey', 'FOREIGN KEY (owner_user_id, state_key) REFERENCES pgthreads.thread(owner_user_id, state_key)'),
  ('core', 'constraint', 'migration.migration_name_check', 'CHECK ((name ~ ''^[0-9]{4}_[a-z0-9_]+$''::text))'),
  ('core', 'constraint', 'migration.migration_pkey', 'PRIMARY KEY (name)'),
  ('core', 'constraint', 'open_answer.open_answer_pkey', 'PRIMARY KEY (owner_user_id, state_key)'),
  ('core', 'constraint', 'queued_turn.queued_turn_pkey', 'PRIMARY KEY (owner_user_id, state_key, message_id)'),
  ('core', 'constraint', 'queued_turn.queued_turn_ticket_check', 'CHECK ((ticket > 0))'),
  ('core', 'constraint', 'redaction_rule.redaction_rule_pkey', 'PRIMARY KEY (name)'),
  ('core', 'constraint', 'redaction_rule.redaction_rule_verifier_check', 'CHECK ((verifier = ANY (ARRAY[''luhn''::text, ''card''::text, ''short_card''::text, ''iban''::text, ''token''::text])))'),
  ('core', 'constraint', 'redaction_screen.redaction_screen_only_row_check', 'CHECK (only_row)'),
  ('core', 'constraint', 'redaction_screen.redaction_screen_pkey', 'PRIMARY KEY (only_row)'),
  ('core', 'constraint', 'retention.retention_owner_user_id_check', 'CHECK (((char_length(owner_user_id) >= 1) AND (char_length(owner_user_id) <= 255)))'),
  ('core', 'constraint', 'retention.retention_pkey', 'PRIMARY KEY (owner_user_id)'),
  ('core', 'constraint', 'retention.retention_purge_after_check', 'CHECK ((purge_after >= ''00:00:00''::interval))'),
  ('core', 'constraint', 'share.share_head_seq_check', 'CHECK ((head_seq > 0))'),
  ('core', 'constraint', 'share.share_pkey', 'PRIMARY KEY (owner_user_id, state_key, share_id)'),
  ('core', 'constraint', 'share.share_share_id_check', 'CHECK (((char_length(share_id) >= 1) AND (char_length(share_id) <= 128)))'),
  ('core', 'constraint', 'share.share_token_sha256_check', 'CHECK ((octet_length(token_sha256) = 32))'),
  ('core', 'constraint', 'tenant_key.tenant_key_active_check', 'CHECK ((active_from < active_until))'),
  ('core', 'constraint', 'tenant_key.tenant_key_id_check', 'CHECK ((id ~ ''^[a-zA-Z0-9_-]{1,64}$''::text))'),
  ('core', 'constraint', 'tenant_key.tenant_key_key_check', 'CHECK (((octet_length(key) >= 32) AND (octet_length(key) <= 64)))'),
  ('core', 'constraint', 'tenant_key.tenant_key_pkey', 'PRIMARY KEY (id)'),
  ('core', 'constraint', 'tenant_secret.tenant_secret_only_row_check', 'CHECK (only_row)'),
  ('core', 'constraint', 'tenant_secret.tenant_secret_pkey', 'PRIMARY KEY (only_row)'),
  ('core', 'constraint', 'thread.thread_message_count_check', 'CHECK ((message_count >= 0))'),
  ('core', 'constraint', 'thread.thread_metadata_check', 'CHECK ((jsonb_typeof(metadata) = ''object''::text))'),
  ('core', 'constraint', 'thread.thread_owner_user_id_check', 'CHECK (((char_length(owner_user_id) >= 1) AND (char_length(owner_user_id) <= 255)))'),
  ('core', 'constraint', 'thread.thread_pkey', 'PRIMARY KEY (owner_user_id, state_key)'),
  ('core', 'constraint', 'thread.thread_state_key_check', 'CHECK ((((octet_length(state_key) >= 1) AND (octet_length(state_key) <= 128)) AND (state_key !~ ''[^a-zA-Z0-9_-]''::text)))'),
  ('core', 'constraint', 'thread.thread_title_check', 'CHECK (((char_length(title) >= 1) AND (char_length(title) <= 200)))'),
  ('core', 'constraint', 'tool_response.tool_response_kind_check', 'CHECK ((kind = ANY (ARRAY[''approval''::text, ''client''::text])))'),
  ('core', 'constraint', 'tool_response.tool_response_pkey', 'PRIMARY KEY (owner_user_id, state_key, message_id, tool_call_id)'),
  ('core', 'constraint', 'tool_response.tool_response_tool_call_id_check', 'CHECK ((char_length(tool_call_id) <= 256))'),
  ('core', 'constraint', 'turn.turn_finished_check', 'CHECK (((status = ''running''::text) = (finished_at IS NULL)))'),
  ('core', 'constraint', 'turn.turn_pkey', 'PRIMARY KEY (owner_user_id, state_key, turn_id)'),
  ('core', 'constraint', 'turn.turn_status_check', 'CHECK ((status = ANY (ARRAY[''running''::text, ''completed''::text, ''stopped''::text, ''failed''::text, ''abandoned''::text, ''waiting''::text])))'),
  ('core', 'constraint', 'turn.turn_thread_fkey', 'FOREIGN KEY (owner_user_id, state_key) REFERENCES pgthreads.thread(owner_user_id, state_key)'),
  ('core', 'constraint', 'turn.turn_turn_id_check', 'CHECK (((char_length(turn_id) >= 1) AND (char_length(turn_id) <= 128)))'),
  ('core', 'constraint', 'usage_total.usage_total_month_check', 'CHECK ((EXTRACT(day FROM month) = (1)::numeric))'),
  ('core', 'constraint', 'usage_total.usage_total_owner_user_id_check', 'CHECK (((char_length(owner_user_id) >= 1) AND (char_length(owner_user_id) <= 255)))'),
  ('core', 'constraint', 'usage_total.usage_total_pkey', 'PRIMARY KEY (owner_user_id, month)'),
  ('core', 'constraint', 'usage_total.usage_total_usage_check', 'CHECK ((jsonb_typeof(usage) = ''object''::text))'),
  ('core', 'constraint', 'verification.verification_counts_check', 'CHECK (((bad >= 0) AND (bad <= threads)))'),
  ('core', 'constraint', 'verification.verification_only_row_check', 'CHECK (only_row)'),
  ('core', 'constraint', 'verification.verification_pkey', 'PRIMARY KEY (only_row)'),
  ('core', 'function', 'abandon_turn(p_owner_user_id text, p_state_key text, p_turn_id text)', 'returns integer; plpgsql; volatile; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body cc8f79b4bbb548ab59ad4a7146a0c89e'),
  ('core', 'function', 'answer_calls(p_message jsonb, p_responses jsonb)', 'returns jsonb; sql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 4c22e1b3a18e5c0b113898608862f12e'),
  ('core', 'function', 'api_version()', 'returns integer; sql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_maintenance, pgthreads_server; body 39c08f9ac64cba938b7de8d1bd6bc0f0'),
  ('core', 'function', 'append_thread(p_owner_user_id text, p_state_key text, p_messages jsonb, p_expected_count integer, p_turn_id text, p_metadata jsonb, p_parent_id text)', 'arguments p_owner_user_id text, p_state_key text, p_messages jsonb, p_expected_count integer DEFAULT NULL::integer, p_turn_id text DEFAULT NULL::text, p_metadata jsonb DEFAULT NULL::jsonb, p_parent_id text DEFAULT NULL::text; returns TABLE(state_key text, message_count integer, appended integer); rows 1; plpgsql; volatile; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 34de328b9268adebcaff3665bb0fa6c3'),
  ('core', 'function', 'apply_migration(p_name text, p_sql text)', 'returns boolean; plpgsql; volatile; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 51545a18883a2bfae9a6a89f5652c37a'),
  ('core', 'function', 'approval_roles(p_tool_name text)', 'returns name[]; sql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body f0031d90b81382fe16dafd8598b359c4'),
  ('core', 'function', 'assemble_message(p_frames text)', 'returns jsonb; plpgsql; immutable; parallel safe; security definer; jit=off; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 7090006539b9a4a24ae922c53ee0d464'),
  ('core', 'function', 'bcd_luhn(p_digits bigint)', 'returns bigint; sql; immutable; parallel safe; owner pgthreads_owner; body 895b8df7afe21d0730b8c1790d7767e3'),
  ('core', 'function', 'begin_turn(p_owner_user_id text, p_state_key text, p_message jsonb, p_turn_id text, p_last integer, p_metadata jsonb, p_replaces text, p_regenerate boolean, p_busy text, p_parent_id text, p_on_stale text)', 'arguments p_owner_user_id text, p_state_key text, p_message jsonb, p_turn_id text, p_last integer DEFAULT NULL::integer, p_metadata jsonb DEFAULT NULL::jsonb, p_replaces text DEFAULT NULL::text, p_regenerate boolean DEFAULT false, p_busy text DEFAULT ''reject''::text, p_parent_id text DEFAULT NULL::text, p_on_stale text DEFAULT NULL::text; returns TABLE(outcome text, state_key text, turn_id text, message_count integer, lease_until timestamp with time zone, max_message_bytes integer, history json, answer json); rows 1; plpgsql; volatile; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body a5fab71fb8239714ddb3f64e6a3c4a7f'),
  ('core', 'function', 'branch_head(p_owner_user_id text, p_state_key text, p_leaf_id text)', 'returns integer; plpgsql; stable; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 6fed3bc0bc16176e8aa17ae6661c94e7'),
  ('core', 'function', 'branch_ranges(p_owner_user_id text, p_state_key text, p_head_seq integer, p_last integer, p_before_seq integer)', 'arguments p_owner_user_id text, p_state_key text, p_head_seq integer, p_last integer DEFAULT NULL::integer, p_before_seq integer DEFAULT NULL::integer; returns TABLE(first_seq integer, last_seq integer); plpgsql; stable; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body a3fc7bcb3cd8b9d1071f065f43ef584e'),
  ('core', 'function', 'call_responses(p_owner_user_id text, p_state_key text, p_message_id text, p_calls jsonb)', 'returns jsonb; plpgsql; stable; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body f8659154d4c2a108a0bfdb8d9a57632b'),
  ('core', 'function', 'change_cursor(p_cursor text)', 'arguments p_cursor text DEFAULT NULL::text; returns text; plpgsql; stable; security definer; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body ae9815e147df000277dce6b4170bc2e8'),
  ('core', 'function', 'changed_threads(p_owner_user_id text, p_cursor text, p_limit integer)', 'arguments p_owner_user_id text, p_cursor text, p_limit integer DEFAULT 100; returns TABLE(state_key text, title text, message_count integer, created_at timestamp with time zone, updated_at timestamp with time zone, running boolean, waiting boolean, deleted boolean, turn_id text, archived_at timestamp with time zone, version text); plpgsql; stable; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body ec7199b176839874556902ac473f31a9'),
  ('core', 'function', 'check_redaction_rule()', 'returns trigger; plpgsql; volatile; security definer; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 98c496ca34a9e5fea6890c568c205a68'),
  ('core', 'function', 'clean_json(p_text text)', 'returns jsonb; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 48f1bee10e193c45568a959ac397bf61'),
  ('core', 'function', 'close_answer(p_owner_user_id text, p_state_key text, p_status text)', 'returns integer; plpgsql; volatile; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 71f2682014a2b74f1a9e5f36ea7c5ba1'),
  ('core', 'function', 'closed_answer(p_message jsonb, p_status text)', 'returns jsonb; sql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 5259f11e874131269a0eb999909ea6c6'),
  ('core', 'function', 'cluster_history()', 'returns bigint; sql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 9f835af81a13b4024ece375d600e0d92'),
  ('core', 'function', 'complete_turn(p_owner_user_id text, p_state_key text, p_turn_id text, p_status text, p_message jsonb, p_usage jsonb, p_error_code text, p_offset integer, p_frames text)', 'arguments p_owner_user_id text, p_state_key text, p_turn_id text, p_status text, p_message jsonb DEFAULT NULL::jsonb, p_usage jsonb DEFAULT NULL::jsonb, p_error_code text DEFAULT NULL::text, p_offset integer DEFAULT NULL::integer, p_frames text DEFAULT NULL::text; returns TABLE(turn_id text, status text, assistant_message_id text, message_count integer, appended integer, usage_refused text); rows 1; plpgsql; volatile; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 66e7e42c8a27ef2673c30b7a14f7c5ed'),
  ('core', 'function', 'continued_answer(p_message jsonb, p_frames text)', 'returns jsonb; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body d8de5f7e8d78413d999a45bd29e1d9db'),
  ('core', 'function', 'current_tenant()', 'returns text; sql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body dd2765d9b222513cdd2518b4517a77c6'),
  ('core', 'function', 'end_lost_turns(p_owner_user_id text, p_grace interval)', 'arguments p_owner_user_id text, p_grace interval DEFAULT ''00:00:00''::interval; returns integer; plpgsql; volatile; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 1938fcd057c0616aaeb592bbfc7f2bd4'),
  ('core', 'function', 'end_turn(p_owner_user_id text, p_state_key text, p_turn_id text, p_status text, p_usage jsonb, p_error_code text, p_count integer, p_answer_id text)', 'arguments p_owner_user_id text, p_state_key text, p_turn_id text, p_status text, p_usage jsonb, p_error_code text, p_count integer, p_answer_id text DEFAULT NULL::text; returns text; plpgsql; volatile; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 335c1cb82dc1ade44e5736853fecbc61'),
  ('core', 'function', 'erase_owner(p_owner_user_id text, p_batch integer)', 'arguments p_owner_user_id text, p_batch integer DEFAULT NULL::integer; returns jsonb; plpgsql; volatile; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; role=pgthreads_maintenance; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_maintenance; body ddaf148f7107730a1ed68f408d07080f'),
  ('core', 'function', 'export_thread(p_owner_user_id text, p_state_key text, p_after_seq integer, p_head_seq integer, p_leaf_id text)', 'arguments p_owner_user_id text, p_state_key text, p_after_seq integer DEFAULT 0, p_head_seq integer DEFAULT NULL::integer, p_leaf_id text DEFAULT NULL::text; returns TABLE(seq integer, message json, created_at timestamp with time zone, head_seq integer); plpgsql; stable; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 70d7b14ef6a4b90c72fb7132fabc7091'),
  ('core', 'function', 'extend_turn(p_owner_user_id text, p_state_key text, p_turn_id text, p_wait boolean)', 'arguments p_owner_user_id text, p_state_key text, p_turn_id text, p_wait boolean DEFAULT true; returns TABLE(alive boolean, stop_requested boolean, lease_until timestamp with time zone); rows 1; plpgsql; volatile; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body c817ee447815a4881ce9b9fdf673d872'),
  ('core', 'function', 'find_question(p_owner_user_id text, p_state_key text, p_message jsonb, p_turn_id text, p_replaces text, p_regenerate boolean, p_parent_id text, p_on_stale text)', 'returns TABLE(message_count integer, seq integer, message_id text, message jsonb, parent_id text, anew boolean, attaches boolean, answer_seq integer); rows 1; plpgsql; volatile; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 571211e1527e38294abd310835dcd9d4'),
  ('core', 'function', 'finish_turn(p_owner_user_id text, p_state_key text, p_turn_id text, p_status text, p_usage jsonb, p_error_code text)', 'arguments p_owner_user_id text, p_state_key text, p_turn_id text, p_status text, p_usage jsonb DEFAULT NULL::jsonb, p_error_code text DEFAULT NULL::text; returns TABLE(turn_id text, status text, assistant_message_id text); rows 1; plpgsql; volatile; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body f3066d238b1bc30dbfe7581caeabb00e'),
  ('core', 'function', 'fit_doubles(p_value jsonb)', 'returns boolean; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 1028760573718fa6a889f6fbf8e6c11c'),
  ('core', 'function', 'fit_range(p_owner_user_id text, p_state_key text, p_first_seq integer, p_last_seq integer, p_bytes bigint, OUT first_seq integer, OUT bytes_left bigint)', 'returns record; plpgsql; stable; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 2cc9fcf06087fc35f71a23ae870dab9f'),
  ('core', 'function', 'fold_json(p_values jsonb[])', 'returns jsonb; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body aa8fc770125eb8d746b2799bc9c12f9f'),
  ('core', 'function', 'fold_sign(p_sign text)', 'returns text; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body c44ff89199fd8d64ef6d64da0372d37f'),
  ('core', 'function', 'fold_text(p_text text)', 'returns TABLE(copy text, starts integer[], shifts integer[]); rows 1; plpgsql; immutable; parallel safe; jit=off; search_path=pg_catalog, pg_temp; standard_conforming_strings=on; owner pgthreads_owner; body 52b3ebc95e1867334e9613375986f301'),
  ('core', 'function', 'forget_journal(p_owner_user_id text, p_state_key text, p_turn_id text)', 'returns integer; plpgsql; volatile; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 96d9617f4ad132158c4eb21b8b260915'),
  ('core', 'function', 'has_long_shape(p_message jsonb)', 'returns boolean; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 853df66d2f27d1076aa06f3b2af01bcc'),
  ('core', 'function', 'has_message_shape(p_message jsonb)', 'returns boolean; sql; immutable; parallel safe; owner pgthreads_owner; body 504e176ddb495f96dd579ec418cf2349'),
  ('core', 'function', 'has_plain_numbers(p_value jsonb)', 'returns boolean; sql; stable; parallel safe; owner pgthreads_owner; execute pgthreads_server; body 87c48256bddd991666fb5ce79a6bea81'),
  ('core', 'function', 'has_search()', 'returns boolean; sql; stable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body a3aeef907f04b2ff35329d7880912bfd'),
  ('core', 'function', 'has_shape(p_message jsonb)', 'returns boolean; sql; stable; parallel safe; owner pgthreads_owner; body a4a2958a168bd9d379521c348dce0bd6'),
  ('core', 'function', 'hide_escapes(p_text text)', 'returns text; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; standard_conforming_strings=on; owner pgthreads_owner; body ff6957c06dbd349894e549591684358a'),
  ('core', 'function', 'hmac_sha256(p_key bytea, p_message bytea)', 'returns bytea; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 84d51a27d09c196ea508a1a058f893c5'),
  ('core', 'function', 'iban_length(p_country text)', 'returns integer; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 17ab73a2002e3887aa786229db029f5d'),
  ('core', 'function', 'iban_lengths()', 'returns jsonb; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 0e8a8f227def9c18e03424ac4a98c2ae'),
  ('core', 'function', 'iban_remainder(p_iban text)', 'returns integer; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 57897ce4c0eb6635ccfdead39e592f17'),
  ('core', 'function', 'is_card(p_text text)', 'returns boolean; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 69d7274cfd3a73a28f4e51c8e9b688f1'),
  ('core', 'function', 'is_iban(p_text text)', 'returns boolean; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body a6e504429b1b234c6ef16347a0a3a05c'),
  ('core', 'function', 'is_known_part(p_part jsonb)', 'returns boolean; sql; immutable; parallel safe; owner pgthreads_owner; body 715e900d0ee489081adc8382dba0fae3'),
  ('core', 'function', 'is_luhn(p_text text)', 'returns boolean; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body db0bba9b32d9285f2452486b0e74e474'),
  ('core', 'function', 'is_named_tenant(p_owner_user_id text)', 'returns boolean; sql; stable; owner pgthreads_owner; body 23bcfaa07225e3c5eaaa574af914b6c8'),
  ('core', 'function', 'is_plain_message(p_message jsonb)', 'returns boolean; sql; stable; parallel safe; owner pgthreads_owner; body 6564f12ae33c6926cca6589d73360c46'),
  ('core', 'function', 'is_plain_read(p_owner_user_id text, p_state_key text, p_last integer, p_before_seq integer)', 'returns boolean; sql; stable; owner pgthreads_owner; body 05fbe0779da08f804a6176567b793205'),
  ('core', 'function', 'is_same_question(p_stored jsonb, p_shown jsonb)', 'returns boolean; plpgsql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 48723618d2866fc74e8d23b6250049bf'),
  ('core', 'function', 'is_shallow(p_value jsonb)', 'returns boolean; sql; immutable; parallel safe; owner pgthreads_owner; body 1dcd2d1d05b04fcece4240829e265f05'),
  ('core', 'function', 'is_short(p_value jsonb, p_bytes integer)', 'returns boolean; sql; stable; parallel safe; owner pgthreads_owner; body 13bc556a06d2353d2a8a1bac43cbc87b'),
  ('core', 'function', 'is_state_key(p_state_key text)', 'returns boolean; sql; immutable; parallel safe; owner pgthreads_owner; execute pgthreads_maintenance, pgthreads_server; body 5ea377608e5a9c5998bf2a95a3a01cdc'),
  ('core', 'function', 'is_ui_message(p_message jsonb)', 'returns boolean; sql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body d0ae02c5f820937ed8a3e08a1e73e6a1'),
  ('core', 'function', 'is_url(p_text text)', 'returns boolean; sql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 6521dbd38c743fe9a84fff9b05d5421e'),
  ('core', 'function', 'joined_screens()', 'returns TABLE(first_look text, screen text, folded text); rows 1; plpgsql; stable; security definer; search_path=pg_catalog, pg_temp; standard_conforming_strings=on; owner pgthreads_owner; body 9b717f02688cd239542fa6d4acf8b1a4'),
  ('core', 'function', 'json_hint(p_value jsonb, p_form text, p_hint text)', 'returns text; sql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body fbc4b8d3f4f571435412695ea11982f9'),
  ('core', 'function', 'keep_answer(p_owner_user_id text, p_state_key text, p_turn_id text, p_message jsonb, p_reason text, p_sqlstate text)', 'arguments p_owner_user_id text, p_state_key text, p_turn_id text, p_message jsonb, p_reason text, p_sqlstate text DEFAULT NULL::text; returns boolean; plpgsql; volatile; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body ab0c9b6937cef995bdbae2437379b456'),
  ('core', 'function', 'keep_usage()', 'returns trigger; plpgsql; volatile; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body f83195ccf285fe1c092dc6cd86537f5b'),
  ('core', 'function', 'kept_strings(p_pieces text[], p_mark text)', 'returns integer[]; plpgsql; immutable; parallel safe; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body e3513655008b5b481b8d7a635ec4d9d0'),
  ('core', 'function', 'list_branches(p_owner_user_id text, p_state_key text)', 'returns TABLE(leaf_id text, leaf_seq integer, created_at timestamp with time zone, message_count integer); plpgsql; stable; security definer; enable_seqscan=off; enable_sort=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 1219e1c137446b58a245a57d456d2f94'),
  ('core', 'function', 'list_shares(p_owner_user_id text, p_state_key text)', 'returns TABLE(share_id text, title text, head_seq integer, created_at timestamp with time zone, expires_at timestamp with time zone); plpgsql; stable; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body f054aa5804dc5279a7086a916ff1b892'),
  ('core', 'function', 'list_threads(p_owner_user_id text, p_limit integer, p_cursor text, p_archived boolean)', 'arguments p_owner_user_id text, p_limit integer DEFAULT 50, p_cursor text DEFAULT NULL::text, p_archived boolean DEFAULT false; returns TABLE(state_key text, title text, message_count integer, metadata jsonb, created_at timestamp with time zone, updated_at timestamp with time zone, running boolean, next_cursor text, waiting boolean, archived_at timestamp with time zone); plpgsql; stable; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body bcb230d660da73cd9dc82fa73011eb4a'),
  ('core', 'function', 'load_thread(p_owner_user_id text, p_state_key text, p_last integer, p_before_seq integer, p_leaf_id text)', 'arguments p_owner_user_id text, p_state_key text, p_last integer DEFAULT NULL::integer, p_before_seq integer DEFAULT NULL::integer, p_leaf_id text DEFAULT NULL::text; returns json; plpgsql; stable; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 84065cfe8cf73cd45656024dcefe905b'),
  ('core', 'function', 'lock_holders(p_class integer, p_key integer)', 'returns text; plpgsql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_maintenance; body 695c612d2c66eacbbc545800d06c1fb7'),
  ('core', 'function', 'luhn_sum(p_number bigint)', 'returns bigint; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body b1686b561311a05124c5814e13606656'),
  ('core', 'function', 'may_hold_secret(p_json text)', 'returns boolean; plpgsql; stable; security definer; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body fd86e821daf20d966900f74a0e46e7b5'),
  ('core', 'function', 'merge_json(p_value jsonb, p_changes jsonb)', 'returns jsonb; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body c5d2fd61944070adeb8429d164eb2c1a'),
  ('core', 'function', 'merge_metadata(p_metadata jsonb, p_changes jsonb)', 'returns jsonb; plpgsql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 026e01c3a7c5639f0f4945e8941ede02'),
  ('core', 'function', 'message_title(p_messages text[])', 'returns text; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 3e8304e0d0a235294d95eb66308d8118'),
  ('core', 'function', 'mint_tenant_token(p_owner_user_id text, p_ttl interval)', 'arguments p_owner_user_id text, p_ttl interval DEFAULT ''00:05:00''::interval; returns text; plpgsql; volatile; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 93c3359fce62b62d91b218b11214dccc'),
  ('core', 'function', 'new_state_key()', 'returns text; plpgsql; volatile; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 6ff1ea087324a27709520b2ae5e29156'),
  ('core', 'function', 'newest_answer(p_owner_user_id text, p_state_key text, p_question_seq integer)', 'returns integer; plpgsql; stable; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 2b3b9c57cadbaefc06aef3791268b9e6'),
  ('core', 'function', 'note_verification(p_threads bigint, p_bad bigint)', 'returns timestamp with time zone; sql; volatile; role=pgthreads_maintenance; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_maintenance; body 636a18b931fa008217c608ee5ddf8f60'),
  ('core', 'function', 'pause_turn(p_owner_user_id text, p_state_key text, p_turn_id text, p_message jsonb, p_usage jsonb, p_offset integer, p_frames text)', 'arguments p_owner_user_id text, p_state_key text, p_turn_id text, p_message jsonb, p_usage jsonb DEFAULT NULL::jsonb, p_offset integer DEFAULT NULL::integer, p_frames text DEFAULT NULL::text; returns TABLE(turn_id text, status text, message_id text, message_count integer, calls jsonb, waits_until timestamp with time zone, usage_refused text); rows 1; plpgsql; volatile; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body b7bba64ab67777b21e129d4e2217b815'),
  ('core', 'function', 'prepare_messages(p_messages jsonb)', 'returns TABLE(message_id text, body text); plpgsql; stable; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; standard_conforming_strings=on; owner pgthreads_owner; body 5e72b114fa88b5043110987b3e275b9f'),
  ('core', 'function', 'prints_within(p_value jsonb, p_bytes integer)', 'returns boolean; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body dc070bc887bed763815cc41df1eed688'),
  ('core', 'function', 'prompt_history(p_owner_user_id text, p_state_key text, p_head_seq integer, p_last integer, p_max_bytes bigint)', 'returns json; plpgsql; stable; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body c31810f6d6cdc627cc8380e8d0406150'),
  ('core', 'function', 'prompt_start(p_owner_user_id text, p_state_key text, p_first_seq integer, p_head_seq integer, p_max_bytes bigint)', 'returns TABLE(seq integer); rows 1; sql; stable; owner pgthreads_owner; body 59013a7026ae7da50509434e9a3d6d07'),
  ('core', 'function', 'purge_threads(p_deleted_before interval, p_batch integer)', 'arguments p_deleted_before interval DEFAULT NULL::interval, p_batch integer DEFAULT 100; returns TABLE(threads integer, messages integer, turns integer, bytes bigint, more boolean); plpgsql; volatile; plan_cache_mode=force_generic_plan; role=pgthreads_maintenance; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_maintenance; body fa781413071178f84e0f384b4699206e'),
  ('core', 'function', 'purge_turns(p_before interval, p_batch integer)', 'arguments p_before interval DEFAULT NULL::interval, p_batch integer DEFAULT 1000; returns TABLE(turns integer, late_answers integer, more boolean); rows 1; plpgsql; volatile; enable_bitmapscan=off; enable_hashjoin=off; enable_mergejoin=off; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; role=pgthreads_maintenance; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_maintenance; body 340f8e586a042775a8118eead1a881fe'),
  ('core', 'function', 'question_content(p_message jsonb)', 'returns jsonb; sql; immutable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 15934c08e6a619312f2d0ade0deacdc6'),
  ('core', 'function', 'question_of(p_owner_user_id text, p_state_key text, p_seq integer)', 'returns TABLE(question_seq integer, first_answer_seq integer); rows 1; plpgsql; stable; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 1e487922ef07a71223d557a8c716ae45'),
  ('core', 'function', 'read_cursor(p_cursor text)', 'returns bigint[]; plpgsql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 5f86545209a61a1165297f578f0e940d'),
  ('core', 'function', 'read_head(p_owner_user_id text, p_state_key text, p_leaf_id text)', 'returns TABLE(head_seq integer, is_linear boolean, message_count integer, head_digest bytea, is_open boolean); rows 1; sql; stable; owner pgthreads_owner; body 824a6945b5e71d4a9b20aa987c1c309b'),
  ('core', 'function', 'read_header(p_owner_user_id text, p_state_key text)', 'returns TABLE(state_key text, title text, message_count integer, metadata jsonb, created_at timestamp with time zone, updated_at timestamp with time zone, running boolean, waiting boolean, archived_at timestamp with time zone); rows 1; plpgsql; stable; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body d153097338b58e20963da4aa59224015'),
  ('core', 'function', 'read_journal(p_owner_user_id text, p_state_key text, p_turn_id text, p_offset integer)', 'arguments p_owner_user_id text, p_state_key text, p_turn_id text DEFAULT NULL::text, p_offset integer DEFAULT 0; returns TABLE(turn_id text, status text, error_code text, end_offset integer, frames text, answer json); rows 1; plpgsql; stable; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 32817ef016852b36c8def2a22f4b2270'),
  ('core', 'function', 'read_messages(p_owner_user_id text, p_state_key text, p_last integer, p_before_seq integer, p_leaf_id text)', 'arguments p_owner_user_id text, p_state_key text, p_last integer DEFAULT NULL::integer, p_before_seq integer DEFAULT NULL::integer, p_leaf_id text DEFAULT NULL::text; returns TABLE(seq integer, message json); plpgsql; stable; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 6654bde1bf482fbae1988fb26c07585e'),
  ('core', 'function', 'read_open_answer(p_owner_user_id text, p_state_key text)', 'returns TABLE(message_id text, turn_id text, open_since timestamp with time zone, waits_until timestamp with time zone, running boolean, message json, calls jsonb); rows 1; plpgsql; stable; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 0d1d6ebc2c7e2d74fc103cf7b19c49e9'),
  ('core', 'function', 'read_share(p_token text, p_last integer, p_before_seq integer)', 'arguments p_token text, p_last integer DEFAULT NULL::integer, p_before_seq integer DEFAULT NULL::integer; returns TABLE(title text, messages json, earlier_seq integer, shared_at timestamp with time zone, expires_at timestamp with time zone); rows 1; plpgsql; volatile; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body ba99a81d54eb3901a5f6de55e4e5b5bd'),
  ('core', 'function', 'read_thread(p_owner_user_id text, p_state_key text, p_last integer, p_before_seq integer, p_known_digest text, p_leaf_id text)', 'arguments p_owner_user_id text, p_state_key text, p_last integer DEFAULT NULL::integer, p_before_seq integer DEFAULT NULL::integer, p_known_digest text DEFAULT NULL::text, p_leaf_id text DEFAULT NULL::text; returns TABLE(state_key text, title text, message_count integer, metadata jsonb, created_at timestamp with time zone, updated_at timestamp with time zone, digest text, messages json, earlier_seq integer); rows 1; plpgsql; stable; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 0b75fc3d6d1ad870e2e640b75f6f6326'),
  ('core', 'function', 'read_thread_details(p_owner_user_id text, p_state_key text, p_last integer, p_before_seq integer, p_known_digest text, p_leaf_id text)', 'arguments p_owner_user_id text, p_state_key text, p_last integer DEFAULT NULL::integer, p_before_seq integer DEFAULT NULL::integer, p_known_digest text DEFAULT NULL::text, p_leaf_id text DEFAULT NULL::text; returns TABLE(state_key text, title text, message_count integer, metadata jsonb, created_at timestamp with time zone, updated_at timestamp with time zone, digest text, messages json, earlier_seq integer); rows 1; plpgsql; stable; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 24aa269d596c0fa84ec77bc55aa465e5'),
  ('core', 'function', 'ready_messages(p_messages jsonb, OUT max_messages integer, OUT ids text[], OUT bodies text[])', 'returns record; plpgsql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body bb6f95f6e2bf4f5bf5f2f1d79c60d19f'),
  ('core', 'function', 'reap_answer(p_owner_user_id text, p_state_key text)', 'returns integer; plpgsql; volatile; security definer; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_maintenance; body dd23872f6c66afb65a1588f88d0c8380'),
  ('core', 'function', 'reap_turn(p_owner_user_id text, p_state_key text, p_turn_id text)', 'returns integer; plpgsql; volatile; security definer; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_maintenance; body ef7cb4835f739c123dc8aa7456439e8b'),
  ('core', 'function', 'reap_turns(p_batch integer, p_grace interval)', 'arguments p_batch integer DEFAULT 100, p_grace interval DEFAULT ''00:00:00''::interval; returns TABLE(owner_user_id text, state_key text, turn_id text, lease_until timestamp with time zone); plpgsql; volatile; enable_bitmapscan=off; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; role=pgthreads_maintenance; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_maintenance; body 78b65fca5884d1b77228673f0d6791e2'),
  ('core', 'function', 'redact_batches(p_ids text[], p_bodies text[])', 'returns text[]; plpgsql; stable; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; standard_conforming_strings=on; owner pgthreads_owner; body 7daf335da4d427dbc0b530c37be61bb9'),
  ('core', 'function', 'redact_bodies(p_bodies text[])', 'returns text[]; plpgsql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 4cbc310d6e7db317a85013edb1a4263d'),
  ('core', 'function', 'redact_cards(p_digits text, p_replacement text)', 'returns text; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 7391a23927d4fb6106395ed19d1482a1'),
  ('core', 'function', 'redact_json(p_value jsonb)', 'returns jsonb; plpgsql; stable; security definer; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body b0a7332ab1b37308affafe378f05e9b5'),
  ('core', 'function', 'redact_json_text(p_text text)', 'returns text; plpgsql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 9be2198dd9df47ce64308c3eb22c6fda'),
  ('core', 'function', 'redact_match(p_match text, p_verifier text, p_replacement text)', 'returns text; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body c261166e9cd340ee30830a1f62e1c11f'),
  ('core', 'function', 'redact_message(p_message jsonb)', 'returns jsonb; plpgsql; stable; security definer; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 4f94e9ca0ff7aedd58e0c3f3ab0dd382'),
  ('core', 'function', 'redact_messages(p_messages jsonb[])', 'returns jsonb[]; plpgsql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 8dee3645092f82be0df562481faddd74'),
  ('core', 'function', 'redact_strings(p_text text, p_is_messages boolean)', 'returns text; plpgsql; stable; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; standard_conforming_strings=on; owner pgthreads_owner; body 734d4d417e5e4da83db8c5205ca53719'),
  ('core', 'function', 'redact_text(p_text text)', 'returns text; plpgsql; stable; security definer; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 4c92648a77ca3e78f8e25f1a96353574'),
  ('core', 'function', 'redact_texts(p_texts text[], p_rule text)', 'arguments p_texts text[], p_rule text DEFAULT NULL::text; returns text[]; plpgsql; stable; security definer; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; standard_conforming_strings=on; owner pgthreads_owner; body 1d890edb64dc059819e826bd7b88de2a'),
  ('core', 'function', 'redaction_faults()', 'returns TABLE(rule text, fault text); plpgsql; stable; security definer; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_maintenance, pgthreads_server; body 7d763057fcb14f2f24e9ff4b02d1ebee'),
  ('core', 'function', 'redaction_fingerprint()', 'returns bigint; sql; stable; security definer; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_maintenance; body 2df8e41909be464810980fc6a1e89065'),
  ('core', 'function', 'redaction_rule_fault(p_name text)', 'returns text; plpgsql; stable; security definer; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body f64090b9446d01060301d29e50372c09'),
  ('core', 'function', 'refresh_redaction_screen()', 'returns trigger; plpgsql; volatile; security definer; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 4488303aab4a939084d1c99e9d508c31'),
  ('core', 'function', 'refresh_tenancy()', 'returns trigger; plpgsql; volatile; security definer; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 848dcb45290735cd3ecd27d1392882ca'),
  ('core', 'function', 'refuse_change()', 'returns trigger; plpgsql; volatile; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body caa75c78c6fb0a0786361996e8526dba'),
  ('core', 'function', 'refuse_older_release()', 'returns void; plpgsql; volatile; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body faebbfbffa5f1a69edd247e85023ec7f'),
  ('core', 'function', 'refuse_screen_change()', 'returns trigger; plpgsql; volatile; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body efd54bfe5b2842deca20cd11c7600dbd'),
  ('core', 'function', 'remove_thread(p_owner_user_id text, p_state_key text)', 'returns TABLE(messages integer, turns integer, bytes bigint); plpgsql; volatile; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_maintenance; body 37dbfe0c7771ed3863089ef393948f01'),
  ('core', 'function', 'replaced_message(p_owner_user_id text, p_state_key text, p_replaces text, p_regenerate boolean)', 'returns TABLE(message_count integer, user_seq integer, user_id text, sibling_of text, parent_id text); plpgsql; volatile; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 6d4c22b0a17f77a05b57b5045048948e'),
  ('core', 'function', 'request_stop(p_owner_user_id text, p_state_key text)', 'returns text; plpgsql; volatile; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 4f5483900fe178a3d2b9479cd32eaa73'),
  ('core', 'function', 'require_approver(p_tool_name text)', 'returns void; plpgsql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body b6685009ee5582a565540eb8950c1af9'),
  ('core', 'function', 'require_batch(p_batch integer)', 'returns void; plpgsql; immutable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_maintenance; body 8bad0dfeadbc59a5ba68c43694133032'),
  ('core', 'function', 'require_end_status(p_status text)', 'returns void; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body b90d97c9822a195272dee42d5440a3c0'),
  ('core', 'function', 'require_installed()', 'returns void; plpgsql; stable; security definer; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body bfc28376cee226748de016ad385a3109'),
  ('core', 'function', 'require_printable(p_value jsonb)', 'returns void; plpgsql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 457d8c10ebee09b70779bdfdd3dfc2d8'),
  ('core', 'function', 'require_queue_quota(p_owner_user_id text)', 'returns void; plpgsql; volatile; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 172a59e22c3d617eaa15db3e2a044df9'),
  ('core', 'function', 'require_read(p_owner_user_id text, p_state_key text, p_last integer, p_before_seq integer)', 'returns void; plpgsql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 2dca1e408d6d12be3a603053688196b8'),
  ('core', 'function', 'require_responses(p_responses jsonb)', 'returns jsonb; plpgsql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 81c01dd71f21d02e242005e4247b04a9'),
  ('core', 'function', 'require_server_role()', 'returns text; plpgsql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 01c3c3aeeaf032f9c834db480737e51b'),
  ('core', 'function', 'require_state_key(p_state_key text)', 'returns void; plpgsql; immutable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_maintenance, pgthreads_server; body 07af12a52c4ca62a278416d83c912552'),
  ('core', 'function', 'require_storable(p_value jsonb, p_what text, p_bytes integer)', 'returns void; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 90bb48b4be4e905e716b1ebb8f2b46c6'),
  ('core', 'function', 'require_tenant(p_owner_user_id text)', 'returns void; plpgsql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 1539e386cafe2305b4baace6d1c3007c'),
  ('core', 'function', 'require_thread(p_owner_user_id text, p_state_key text)', 'returns void; plpgsql; volatile; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body e9dc8d2807fcd1f13492d29194e8108a'),
  ('core', 'function', 'require_turn_quota(p_owner_user_id text)', 'returns void; plpgsql; volatile; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 0959a33740c7f3ba339b38612562fc07'),
  ('core', 'function', 'require_user_message(p_message jsonb)', 'returns jsonb; plpgsql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body a562203f465ab9370ea6f807a6a8db7e'),
  ('core', 'function', 'require_window(p_last integer, p_before_seq integer)', 'returns void; plpgsql; immutable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 767800fb1f47ce670c96daee0520d083'),
  ('core', 'function', 'requires_token()', 'returns boolean; sql; stable; parallel safe; owner pgthreads_owner; execute pgthreads_server'),
  ('core', 'function', 'respond_turn(p_owner_user_id text, p_state_key text, p_message_id text, p_responses jsonb, p_turn_id text, p_last integer)', 'arguments p_owner_user_id text, p_state_key text, p_message_id text, p_responses jsonb, p_turn_id text DEFAULT NULL::text, p_last integer DEFAULT NULL::integer; returns TABLE(outcome text, state_key text, turn_id text, message_count integer, lease_until timestamp with time zone, max_message_bytes integer, history json, answer json, responses jsonb, missing jsonb); rows 1; plpgsql; volatile; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body e5ce28ca2c646da6ea6533b6c6a2861d'),
  ('core', 'function', 'revoke_share(p_owner_user_id text, p_state_key text, p_share_id text)', 'returns boolean; plpgsql; volatile; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 85177cf0157e3a219d0a6136f94860ac'),
  ('core', 'function', 'save_thread(p_owner_user_id text, p_state_key text, p_messages jsonb, p_expected_count integer, p_metadata jsonb)', 'arguments p_owner_user_id text, p_state_key text, p_messages jsonb, p_expected_count integer DEFAULT NULL::integer, p_metadata jsonb DEFAULT NULL::jsonb; returns TABLE(state_key text, message_count integer, appended integer); rows 1; plpgsql; volatile; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 3cafe9f27cf235fc16785f452b993001'),
  ('core', 'function', 'search_titles(p_owner_user_id text, p_query text, p_limit integer, p_offset integer)', 'arguments p_owner_user_id text, p_query text, p_limit integer DEFAULT 20, p_offset integer DEFAULT 0; returns TABLE(state_key text, title text, message_count integer, updated_at timestamp with time zone, archived_at timestamp with time zone); plpgsql; stable; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 8aaad42b1acf81c5d23e47375c0b5b68'),
  ('core', 'function', 'set_tenant(p_owner_user_id bigint)', 'returns text; plpgsql; volatile; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 2d6a864ff51c2cb41442c689548fbcd8'),
  ('core', 'function', 'set_tenant(p_owner_user_id text)', 'returns text; plpgsql; volatile; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body c22163b3373dbc89864294a38c7cdb6b'),
  ('core', 'function', 'set_tenant(p_owner_user_id uuid)', 'returns text; plpgsql; volatile; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 2d6a864ff51c2cb41442c689548fbcd8'),
  ('core', 'function', 'share_thread(p_owner_user_id text, p_state_key text, p_expires_in interval, p_leaf_id text, p_share_id text)', 'arguments p_owner_user_id text, p_state_key text, p_expires_in interval DEFAULT ''30 days''::interval, p_leaf_id text DEFAULT NULL::text, p_share_id text DEFAULT NULL::text; returns TABLE(share_id text, token text, title text, head_seq integer, created_at timestamp with time zone, expires_at timestamp with time zone); rows 1; plpgsql; volatile; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 5573b4b674044434324d4d2ef7aade61'),
  ('core', 'function', 'shared_message(p_message jsonb)', 'returns jsonb; sql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body f7cc86c2f3fc5123ca2663c335144e00'),
  ('core', 'function', 'shown_answer(p_owner_user_id text, p_state_key text, p_count integer, p_before_seq integer, p_leaf_id text)', 'returns TABLE(user_seq integer, seq integer, message json, digest bytea); rows 1; plpgsql; stable; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 1dec638f42a895c075c4dcb1035b4d56'),
  ('core', 'function', 'shown_head(p_owner_user_id text, p_state_key text, p_count integer)', 'returns integer; plpgsql; stable; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 0129333ec7205e75991696f6f7d021c1'),
  ('core', 'function', 'shown_parent(p_owner_user_id text, p_state_key text, p_message_id text, p_parent_id text, p_on_stale text, p_count integer)', 'returns text; plpgsql; stable; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 72e922f4ae6941e0aa7489b2007ac66a'),
  ('core', 'function', 'site_notes()', 'returns TABLE(topic text, note text); sql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body e8405c3e3623033ece1a13e3e9701e77'),
  ('core', 'function', 'soft_delete_thread(p_owner_user_id text, p_state_key text)', 'returns boolean; plpgsql; volatile; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body cd55ddc70f1948f7353bd1ebaa7ff373'),
  ('core', 'function', 'take_open_answer(p_owner_user_id text, p_state_key text, p_message_id text, p_first_id text)', 'returns void; plpgsql; volatile; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 9ff7c5dd1cea68f540b4bdc5fe95114a'),
  ('core', 'function', 'tenant_mac(p_owner_user_id text, p_claims bytea)', 'returns bytea; plpgsql; stable; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 402ee3e433f489401afb3a3d0d816078'),
  ('core', 'function', 'tenant_proof(p_owner_user_id text)', 'returns text; plpgsql; volatile; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 5ea89fc588f57f6e3d473eb4a36467cc'),
  ('core', 'function', 'thread_stats()', 'returns TABLE(owners bigint, threads bigint, deleted_threads bigint, due_threads bigint, messages bigint, running_turns bigint, dead_turns bigint, oldest_turn interval, thread_bytes bigint, message_bytes bigint, turn_bytes bigint, waiting_messages bigint, late_answers bigint, journal_bytes bigint, late_answer_bytes bigint, open_answers bigint, oldest_open_answer interval); sql; stable; role=pgthreads_maintenance; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_maintenance; body 5612ebce701e6ed8a66d25a3f3ce71fc'),
  ('core', 'function', 'touch_thread(p_owner_user_id text, p_state_key text)', 'returns void; plpgsql; volatile; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 75818d967c31b99e1ca001b56c082d88'),
  ('core', 'function', 'transaction_proof(p_owner_user_id text, p_expires bigint)', 'returns text; plpgsql; volatile; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 6f7525d8cc85a0223b2ef9ed7e8eec2a'),
  ('core', 'function', 'ui_message_fault(p_message jsonb)', 'returns text; plpgsql; immutable; parallel safe; security definer; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body c74cf0088b583662b006f83e4e26ad1f'),
  ('core', 'function', 'update_thread(p_owner_user_id text, p_state_key text, p_title text, p_metadata jsonb, p_archived boolean)', 'arguments p_owner_user_id text, p_state_key text, p_title text DEFAULT NULL::text, p_metadata jsonb DEFAULT NULL::jsonb, p_archived boolean DEFAULT NULL::boolean; returns TABLE(state_key text, title text, message_count integer, metadata jsonb, created_at timestamp with time zone, updated_at timestamp with time zone, archived_at timestamp with time zone); rows 1; plpgsql; volatile; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 250c9287169c44abaf0e5bdd732d682c'),
  ('core', 'function', 'verified_part(p_text text, p_verifier text)', 'returns integer[]; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 1925228bb6f89da450cb291f29bfc079'),
  ('core', 'function', 'verified_parts(p_texts text[], p_verifier text, OUT starts integer[], OUT lengths integer[])', 'returns record; plpgsql; immutable; parallel safe; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body a0e72e2233d9195d06d4dadc2b0606aa'),
  ('core', 'function', 'verified_tenant()', 'returns text; plpgsql; stable; security definer; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 04b78be6c809c0df2e126c6a27f19ee3'),
  ('core', 'function', 'verify_tenant_token(p_token text)', 'returns TABLE(owner_user_id text, proof text); plpgsql; volatile; security definer; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body 6fefddedee7055e87f81238889665a9d'),
  ('core', 'function', 'verify_thread(p_owner_user_id text, p_state_key text)', 'returns TABLE(ok boolean, checked integer, bad_seq integer, detail text); plpgsql; stable; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_maintenance, pgthreads_server; body 6a7d3ee824e111308912a3b1378bedcc'),
  ('core', 'function', 'verify_threads(p_owner_user_id text, p_batch integer, p_after_owner_user_id text, p_after_state_key text)', 'arguments p_owner_user_id text DEFAULT NULL::text, p_batch integer DEFAULT 100, p_after_owner_user_id text DEFAULT NULL::text, p_after_state_key text DEFAULT NULL::text; returns TABLE(owner_user_id text, state_key text, ok boolean, checked integer, bad_seq integer, detail text); plpgsql; stable; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; role=pgthreads_maintenance; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_maintenance; body 6a8cf0ae4a99e907f43ed383dab55414'),
  ('core', 'function', 'wait_for_turn(p_owner_user_id text, p_state_key text, p_message_id text, p_anew boolean, p_busy text)', 'returns TABLE(turn_id text, message_count integer, lease_until timestamp with time zone); plpgsql; volatile; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body f2f24cd99af6823f12db735e04cc81c1'),
  ('core', 'function', 'waiting_calls(p_message jsonb)', 'returns jsonb; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 72e5a104ec417d8b739196f710a9a10e'),
  ('core', 'function', 'window_ranges(p_owner_user_id text, p_state_key text, p_head_seq integer, p_last integer, p_before_seq integer, p_max_bytes bigint)', 'returns TABLE(first_seq integer, last_seq integer); plpgsql; stable; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 72f6ca1c5a8fa1d966e94386bae59ba5'),
  ('core', 'function', 'without_details(p_message jsonb)', 'returns jsonb; sql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 0b373564964fd528dfbdd481d1b33137'),
  ('core', 'function', 'write_frames(p_owner_user_id text, p_state_key text, p_turn_id text, p_offset integer, p_frames text)', 'returns integer; plpgsql; volatile; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 0f1f5eebbdfe963cc0cddf8de54f6b42'),
  ('core', 'function', 'write_journal(p_owner_user_id text, p_state_key text, p_turn_id text, p_offset integer, p_frames text)', 'returns TABLE(turn_id text, alive boolean, stop_requested boolean, end_offset integer); rows 1; plpgsql; volatile; security definer; enable_seqscan=off; jit=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body fada4de3760111c9fef37ccc011a82b0'),
  ('core', 'function', 'write_messages(p_owner_user_id text, p_state_key text, p_ids text[], p_bodies text[], p_count integer, p_digest bytea, p_parent integer, p_title text, p_metadata jsonb, p_now timestamp with time zone)', 'returns integer; plpgsql; volatile; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 9be173bc32a2cddcb0f04b6d13e812fe'),
  ('core', 'index', 'pgthreads.late_answer_created', 'CREATE INDEX late_answer_created ON pgthreads.late_answer USING btree (created_at)'),
  ('core', 'index', 'pgthreads.message_branch', 'CREATE INDEX message_branch ON pgthreads.message USING btree (owner_user_id, state_key, seq) WHERE (parent_seq IS NOT NULL)'),
  ('core', 'index', 'pgthreads.open_answer_since', 'CREATE INDEX open_answer_since ON pgthreads.open_answer USING btree (open_since)'),
  ('core', 'index', 'pgthreads.share_token', 'CREATE INDEX share_token ON pgthreads.share USING btree (token_sha256)'),
  ('core', 'index', 'pgthreads.thread_archived', 'CREATE INDEX thread_archived ON pgthreads.thread USING btree (owner_user_id, recent_at DESC) WHERE ((deleted_at IS NULL) AND (archived_at IS NOT NULL))'),
  ('core', 'index', 'pgthreads.thread_deleted', 'CREATE INDEX thread_deleted ON pgthreads.thread USING btree (deleted_at) WHERE (deleted_at IS NOT NULL)'),
  ('core', 'index', 'pgthreads.thread_recency', 'CREATE INDEX thread_recency ON pgthreads.thread USING btree (owner_user_id, recent_at DESC) WHERE (deleted_at IS NULL)'),
  ('core', 'index', 'pgthreads.thread_touched', 'CREATE INDEX thread_touched ON pgthreads.thread USING btree (owner_user_id, touched_xid) WHERE (touched_xid IS NOT NULL)'),
  ('core', 'index', 'pgthreads.turn_finished', 'CREATE INDEX turn_finished ON pgthreads.turn USING btree (finished_at) WHERE (finished_at IS NOT NULL)'),
  ('core', 'index', 'pgthreads.turn_one_running', 'CREATE UNIQUE INDEX turn_one_running ON pgthreads.turn USING btree (owner_user_id, state_key) WHERE (status = ''running''::text)'),
  ('core', 'policy', 'approval_policy.approval_policy_owner', 'all; to pgthreads_owner; using true; check true'),
  ('core', 'policy', 'approval_policy.backup', 'select; to pgthreads_backup; using true'),
  ('core', 'policy', 'config.backup', 'select; to pgthreads_backup; using true'),
  ('core', 'policy', 'config.config_maintenance', 'select; to pgthreads_maintenance; using true'),
  ('core', 'policy', 'config.config_owner', 'all; to pgthreads_owner; using true; check true'),
  ('core', 'policy', 'journal.backup', 'select; to pgthreads_backup; using true'),
  ('core', 'policy', 'journal.journal_maintenance_delete', 'delete; to pgthreads_maintenance; using true'),
  ('core', 'policy', 'journal.journal_maintenance_select', 'select; to pgthreads_maintenance; using true'),
  ('core', 'policy', 'journal.journal_owner', 'all; to pgthreads_owner; using (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text)); check (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text))'),
  ('core', 'policy', 'late_answer.backup', 'select; to pgthreads_backup; using true'),
  ('core', 'policy', 'late_answer.late_answer_maintenance_delete', 'delete; to pgthreads_maintenance; using true'),
  ('core', 'policy', 'late_answer.late_answer_maintenance_select', 'select; to pgthreads_maintenance; using true'),
  ('core', 'policy', 'late_answer.late_answer_owner', 'all; to pgthreads_owner; using (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text)); check (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text))'),
  ('core', 'policy', 'message.backup', 'select; to pgthreads_backup; using true'),
  ('core', 'policy', 'message.message_maintenance_delete', 'delete; to pgthreads_maintenance; using true'),
  ('core', 'policy', 'message.message_maintenance_select', 'select; to pgthreads_maintenance; using true'),
  ('core', 'policy', 'message.message_owner_insert', 'insert; to pgthreads_owner; check (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text))'),
  ('core', 'policy', 'message.message_owner_select', 'select; to pgthreads_owner; using (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text))'),
  ('core', 'policy', 'message.message_server', 'select; to pgthreads_server; using ((owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text)) AND CASE WHEN pgthreads.requires_token() THEN (owner_user_id = ( SELECT pgthreads.verified_tenant() AS verified_tenant)) ELSE true END AND (EXISTS ( SELECT FROM pgthreads.thread t WHERE ((t.owner_user_id = message.owner_user_id) AND (t.state_key = message.state_key)))))'),
  ('core', 'policy', 'migration.backup', 'select; to pgthreads_backup; using true'),
  ('core', 'policy', 'migration.migration_owner', 'all; to pgthreads_owner; using true; check true'),
  ('core', 'policy', 'open_answer.backup', 'select; to pgthreads_backup; using true'),
  ('core', 'policy', 'open_answer.open_answer_maintenance_delete', 'delete; to pgthreads_maintenance; using true'),
  ('core', 'policy', 'open_answer.open_answer_maintenance_select', 'select; to pgthreads_maintenance; using true'),
  ('core', 'policy', 'open_answer.open_answer_owner', 'all; to pgthreads_owner; using (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text)); check (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text))'),
  ('core', 'policy', 'open_answer.open_answer_server', 'select; to pgthreads_server; using ((owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text)) AND CASE WHEN pgthreads.requires_token() THEN (owner_user_id = ( SELECT pgthreads.verified_tenant() AS verified_tenant)) ELSE true END)'),
  ('core', 'policy', 'queued_turn.backup', 'select; to pgthreads_backup; using true'),
  ('core', 'policy', 'queued_turn.queued_turn_maintenance_delete', 'delete; to pgthreads_maintenance; using true'),
  ('core', 'policy', 'queued_turn.queued_turn_maintenance_select', 'select; to pgthreads_maintenance; using true'),
  ('core', 'policy', 'queued_turn.queued_turn_owner', 'all; to pgthreads_owner; using (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text)); check (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text))'),
  ('core', 'policy', 'redaction_rule.backup', 'select; to pgthreads_backup; using true'),
  ('core', 'policy', 'redaction_rule.redaction_rule_owner', 'all; to pgthreads_owner; using true; check true'),
  ('core', 'policy', 'redaction_screen.backup', 'select; to pgthreads_backup; using true'),
  ('core', 'policy', 'redaction_screen.redaction_screen_owner', 'all; to pgthreads_owner; using true; check true'),
  ('core', 'policy', 'retention.backup', 'select; to pgthreads_backup; using true'),
  ('core', 'policy', 'retention.retention_maintenance', 'all; to pgthreads_maintenance; using true; check true'),
  ('core', 'policy', 'share.backup', 'select; to pgthreads_backup; using true'),
  ('core', 'policy', 'share.share_maintenance_delete', 'delete; to pgthreads_maintenance; using true'),
  ('core', 'policy', 'share.share_maintenance_select', 'select; to pgthreads_maintenance; using true'),
  ('core', 'policy', 'share.share_owner', 'all; to pgthreads_owner; using (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text)); check (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text))'),
  ('core', 'policy', 'share.share_token', 'select; to pgthreads_owner; using (token_sha256 = sha256(convert_to(NULLIF(current_setting(''app.share_token''::text, true), ''''::text), ''UTF8''::name)))'),
  ('core', 'policy', 'tenant_key.backup', 'select; to pgthreads_backup; using true'),
  ('core', 'policy', 'tenant_key.tenant_key_owner', 'all; to pgthreads_owner; using true; check true'),
  ('core', 'policy', 'tenant_secret.backup', 'select; to pgthreads_backup; using true'),
  ('core', 'policy', 'tenant_secret.tenant_secret_owner', 'all; to pgthreads_owner; using true; check true'),
  ('core', 'policy', 'thread.backup', 'select; to pgthreads_backup; using true'),
  ('core', 'policy', 'thread.thread_maintenance_delete', 'delete; to pgthreads_maintenance; using true'),
  ('core', 'policy', 'thread.thread_maintenance_lock', 'update; to pgthreads_maintenance; using true; check false'),
  ('core', 'policy', 'thread.thread_maintenance_select', 'select; to pgthreads_maintenance; using true'),
  ('core', 'policy', 'thread.thread_owner', 'all; to pgthreads_owner; using (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text)); check (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text))'),
  ('core', 'policy', 'thread.thread_server', 'select; to pgthreads_server; using ((owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text)) AND CASE WHEN pgthreads.requires_token() THEN (owner_user_id = ( SELECT pgthreads.verified_tenant() AS verified_tenant)) ELSE true END AND (deleted_at IS NULL))'),
  ('core', 'policy', 'tool_response.backup', 'select; to pgthreads_backup; using true'),
  ('core', 'policy', 'tool_response.tool_response_maintenance_delete', 'delete; to pgthreads_maintenance; using true'),
  ('core', 'policy', 'tool_response.tool_response_maintenance_select', 'select; to pgthreads_maintenance; using true'),
  ('core', 'policy', 'tool_response.tool_response_owner_insert', 'insert; to pgthreads_owner; check (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text))'),
  ('core', 'policy', 'tool_response.tool_response_owner_select', 'select; to pgthreads_owner; using (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text))'),
  ('core', 'policy', 'turn.backup', 'select; to pgthreads_backup; using true'),
  ('core', 'policy', 'turn.turn_maintenance_abandon', 'update; to pgthreads_maintenance; using (status = ''running''::text); check (status = ''abandoned''::text)'),
  ('core', 'policy', 'turn.turn_maintenance_delete', 'delete; to pgthreads_maintenance; using true'),
  ('core', 'policy', 'turn.turn_maintenance_select', 'select; to pgthreads_maintenance; using true'),
  ('core', 'policy', 'turn.turn_owner', 'all; to pgthreads_owner; using (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text)); check (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text))'),
  ('core', 'policy', 'usage_total.backup', 'select; to pgthreads_backup; using true'),
  ('core', 'policy', 'usage_total.usage_total_maintenance', 'all; to pgthreads_maintenance; using true; check true'),
  ('core', 'policy', 'usage_total.usage_total_owner', 'all; to pgthreads_owner; using (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text)); check (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text))'),
  ('core', 'policy', 'verification.backup', 'select; to pgthreads_backup; using true'),
  ('core', 'policy', 'verification.verification_maintenance', 'all; to pgthreads_maintenance; using true; check true'),
  ('core', 'role', 'pgthreads_backup', 'nologin'),
  ('core', 'role', 'pgthreads_maintenance', 'nologin'),
  ('core', 'role', 'pgthreads_owner', 'nologin'),
  ('core', 'role', 'pgthreads_server', 'nologin'),
  ('core', 'schema', 'pgthreads', 'owner pgthreads_owner; pgthreads_backup usage, pgthreads_maintenance usage, pgthreads_server usage'),
  ('core', 'table', 'approval_policy', 'owner pgthreads_owner; row level security; forced; pgthreads_backup select'),
  ('core', 'table', 'config', 'owner pgthreads_owner; row level security; forced; pgthreads_backup select; pgthreads_maintenance select'),
  ('core', 'table', 'journal', 'owner pgthreads_owner; unlogged; row level security; forced; pgthreads_backup select; pgthreads_maintenance delete'),
  ('core', 'table', 'late_answer', 'owner pgthreads_owner; row level security; forced; pgthreads_backup select; pgthreads_maintenance delete, select'),
  ('core', 'table', 'message', 'owner pgthreads_owner; row level security; forced; pgthreads_backup select; pgthreads_maintenance delete, select; pgthreads_server select'),
  ('core', 'table', 'migration', 'owner pgthreads_owner; row level security; forced; pgthreads_backup select'),
  ('core', 'table', 'open_answer', 'owner pgthreads_owner; row level security; forced; pgthreads_backup select; pgthreads_maintenance delete, select; pgthreads_server select'),
  ('core', 'table', 'queued_turn', 'owner pgthreads_owner; unlogged; row level security; forced; pgthreads_backup select; pgthreads_maintenance delete, select'),
  ('core', 'table', 'redaction_rule', 'owner pgthreads_owner; row level security; forced; pgthreads_backup select'),
  ('core', 'table', 'redaction_screen', 'owner pgthreads_owner; row level security; forced; pgthreads_backup select'),
  ('core', 'table', 'retention', 'owner pgthreads_owner; row level security; forced; pgthreads_backup select; pgthreads_maintenance delete, insert, select, update'),
  ('core', 'table', 'share', 'owner pgthreads_owner; row level security; forced; pgthreads_backup select; pgthreads_maintenance delete, select'),
  ('core', 'table', 'tenant_key', 'owner pgthreads_owner; row level security; forced; pgthreads_backup select'),
  ('core', 'table', 'tenant_secret', 'owner pgthreads_owner; row level security; forced; pgthreads_backup select'),
  ('core', 'table', 'thread', 'owner pgthreads_owner; row level security; forced; pgthreads_backup select; pgthreads_maintenance delete, select; pgthreads_server select'),
  ('core', 'table', 'tool_response', 'owner pgthreads_owner; row level security; forced; pgthreads_backup select; pgthreads_maintenance delete, select'),
  ('core', 'table', 'turn', 'owner pgthreads_owner; row level security; forced; pgthreads_backup select; pgthreads_maintenance delete, select'),
  ('core', 'table', 'usage_total', 'owner pgthreads_owner; row level security; forced; pgthreads_backup select; pgthreads_maintenance delete, insert, select, update'),
  ('core', 'table', 'verification', 'owner pgthreads_owner; row level security; forced; pgthreads_backup select; pgthreads_maintenance insert, select, update'),
  ('core', 'trigger', 'config.config_tenancy', 'CREATE TRIGGER config_tenancy AFTER UPDATE OF require_verified_tenant ON pgthreads.config FOR EACH ROW EXECUTE FUNCTION pgthreads.refresh_tenancy(); enabled'),
  ('core', 'trigger', 'message.message_grow_only', 'CREATE TRIGGER message_grow_only BEFORE DELETE OR UPDATE OR TRUNCATE ON pgthreads.message FOR EACH STATEMENT EXECUTE FUNCTION pgthreads.refuse_change(); enabled'),
  ('core', 'trigger', 'redaction_rule.redaction_rule_example', 'CREATE TRIGGER redaction_rule_example AFTER INSERT OR UPDATE ON pgthreads.redaction_rule FOR EACH ROW EXECUTE FUNCTION pgthreads.check_redaction_rule(); enabled'),
  ('core', 'trigger', 'redaction_rule.redaction_rule_screen', 'CREATE TRIGGER redaction_rule_screen AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON pgthreads.redaction_rule FOR EACH STATEMENT EXECUTE FUNCTION pgthreads.refresh_redaction_screen(); enabled'),
  ('core', 'trigger', 'redaction_screen.redaction_screen_written', 'CREATE TRIGGER redaction_screen_written BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON pgthreads.redaction_screen FOR EACH STATEMENT EXECUTE FUNCTION pgthreads.refuse_screen_change(); enabled'),
  ('core', 'trigger', 'turn.turn_usage', 'CREATE TRIGGER turn_usage AFTER DELETE ON pgthreads.turn REFERENCING OLD TABLE AS removed_turns FOR EACH STATEMENT EXECUTE FUNCTION pgthreads.keep_usage(); enabled'),
  ('core', 'view', 'ai_threads', 'owner pgthreads_owner; security_invoker=true; pgthreads_server select'),
  ('core', 'view', 'open_turns', 'owner pgthreads_owner; security_invoker=true; pgthreads_maintenance select'),
  ('core', 'view', 'owner_usage', 'owner pgthreads_owner; security_invoker=true; pgthreads_maintenance select'),
  ('search', 'column', 'message_search.owner_user_id', 'text; not null; collate C'),
  ('search', 'column', 'message_search.seq', 'integer; not null'),
  ('search', 'column', 'message_search.state_key', 'text; not null; collate C'),
  ('search', 'column', 'message_search.tsv', 'tsvector; not null'),
  ('search', 'column', 'search_config.built_at', 'timestamp with time zone'),
  ('search', 'column', 'search_config.language', 'text; not null; default ''english''::text'),
  ('search', 'column', 'search_config.only_row', 'boolean; not null; default true'),
  ('search', 'constraint', 'message_search.message_search_pkey', 'PRIMARY KEY (owner_user_id, state_key, seq)'),
  ('search', 'constraint', 'message_search.message_search_seq_check', 'CHECK ((seq >= 0))'),
  ('search', 'constraint', 'search_config.search_config_language_check', 'CHECK (((language)::regconfig IS NOT NULL))'),
  ('search', 'constraint', 'search_config.search_config_only_row_check', 'CHECK (only_row)'),
  ('search', 'constraint', 'search_config.search_config_pkey', 'PRIMARY KEY (only_row)'),
  ('search', 'function', 'index_messages()', 'returns trigger; plpgsql; volatile; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 4d920ed17a9baf25fddcb7857478dbea'),
  ('search', 'function', 'index_title()', 'returns trigger; plpgsql; volatile; enable_seqscan=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body a2aef0129f1c6d0cb8db7f0f4449c616'),
  ('search', 'function', 'message_text(p_message json)', 'returns text; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 278f744444a1894b5d179aeb8b245472'),
  ('search', 'function', 'message_words(p_language regconfig, p_message json)', 'returns tsvector; plpgsql; immutable; parallel safe; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body 1fe4e1591d29d4e755d4e3e4ddc6b35a'),
  ('search', 'function', 'rebuild_search()', 'returns bigint; plpgsql; volatile; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body cc9566ab5231e22461befcd970cfded8'),
  ('search', 'function', 'search_threads(p_owner_user_id text, p_query text, p_limit integer, p_offset integer)', 'arguments p_owner_user_id text, p_query text, p_limit integer DEFAULT 20, p_offset integer DEFAULT 0; returns TABLE(state_key text, title text, message_count integer, updated_at timestamp with time zone, seq integer, message_id text, role text, snippet text, rank real, hits integer); plpgsql; stable; security definer; enable_seqscan=off; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; execute pgthreads_server; body c9da8630ae8b5bdd4c51298a9620376e'),
  ('search', 'function', 'unindex_threads()', 'returns trigger; plpgsql; volatile; plan_cache_mode=force_generic_plan; search_path=pg_catalog, pg_temp; owner pgthreads_owner; body e08ee6f7bf08531aec1295230f86e602'),
  ('search', 'policy', 'message_search.backup', 'select; to pgthreads_backup; using true'),
  ('search', 'policy', 'message_search.message_search_maintenance_delete', 'delete; to pgthreads_maintenance; using true'),
  ('search', 'policy', 'message_search.message_search_maintenance_select', 'select; to pgthreads_maintenance; using true'),
  ('search', 'policy', 'message_search.message_search_owner', 'all; to pgthreads_owner; using (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text)); check (owner_user_id = NULLIF(current_setting(''app.current_user_id''::text, true), ''''::text))'),
  ('search', 'policy', 'search_config.backup', 'select; to pgthreads_backup; using true'),
  ('search', 'policy', 'search_config.search_config_owner', 'all; to pgthreads_owner; using true; check true'),
  ('search', 'table', 'message_search', 'owner pgthreads_owner; row level security; forced; pgthreads_backup select; pgthreads_maintenance delete, select'),
  ('search', 'table', 'search_config', 'owner pgthreads_owner; row level security; forced; pgthreads_backup select'),
  ('search', 'trigger', 'message.message_search_messages', 'CREATE TRIGGER message_search_messages AFTER INSERT ON pgthreads.message REFERENCING NEW TABLE AS new_messages FOR EACH STATEMENT EXECUTE FUNCTION pgthreads.index_messages(); enabled'),
  ('search', 'trigger', 'thread.message_search_new_title', 'CREATE TRIGGER message_search_new_title AFTER INSERT ON pgthreads.thread FOR EACH ROW WHEN ((new.title IS NOT NULL)) EXECUTE FUNCTION pgthreads.index_title(); enabled'),
  ('search', 'trigger', 'thread.message_search_removed', 'CREATE TRIGGER message_search_removed AFTER DELETE ON pgthreads.thread REFERENCING OLD TABLE AS removed_threads FOR EACH STATEMENT EXECUTE FUNCTION pgthreads.unindex_threads(); enabled'),
  ('search', 'trigger', 'thread.message_search_title', 'CREATE TRIGGER message_search_title AFTER UPDATE OF title ON pgthreads.thread FOR EACH ROW WHEN ((old.title IS DISTINCT FROM new.title)) EXECUTE FUNCTION pgthreads.index_title(); enabled');
-- end of released

-- Runs a statement as a role, for the throw-away owner, and undoes nothing but the role: the first
-- column of its first row as text, or the SQLSTATE of its refusal. $1 is the owner, $2 an object with
-- messages.
create function pg_temp.said(
  p_sql text,
  p_role text default 'pgthreads_server',
  p_tenant boolean default true
)
returns text
language plpgsql
as $$
declare
  v_role constant text := current_setting('role');
  v_said text;
begin
  perform set_config('role', p_role, true);
  if p_tenant then
    perform pgthreads.set_tenant(current_setting('pgthreads.pgtap_tenant'));
  end if;
  execute p_sql into v_said using
    current_setting('pgthreads.pgtap_owner'), current_setting('pgthreads.pgtap_messages')::jsonb;
  perform set_config('role', v_role, true);
  return v_said;
exception
  when others then
    -- What the block has set is undone, the role as well.
    return sqlstate;
end;
$$;

-- Whether the calls can be tried: an owner nobody else has, and messages to send.
do $$
declare
  v_way text :=
    case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end;
  v_role constant text := current_setting('role');
  v_tenant text := nullif(current_setting('pgthreads.pgtap_tenant', true), '');
  v_owner text := format('pgtap %s', gen_random_uuid());
begin
  if v_tenant is null and pgthreads.requires_token()
    and pg_has_role(current_user, 'pgthreads_owner', v_way)
  then
    perform set_config('role', 'pgthreads_owner', true);
    v_tenant := pgthreads.mint_tenant_token(v_owner);
  elsif v_tenant is null then
    v_tenant := v_owner;
  end if;
  perform set_config('pgthreads.pgtap_tenant', v_tenant, true);
  begin
    perform set_config('role', 'pgthreads_server', true);
    v_owner := pgthreads.set_tenant(v_tenant);
    if exists (select from pgthreads.thread as t where t.owner_user_id = v_owner) then
      raise exception 'the owner of the token in pgthreads.pgtap_tenant has threads' using
        hint = 'Sign a token for an owner who has none, such as a random name.';
    end if;
  exception
    when sqlstate 'THTEN' then
      raise exception 'the suite needs a tenant token: %', sqlerrm using
        hint = 'Give it one of an owner without threads: PGOPTIONS="-c pgthreads.pgtap_tenant=…".';
  end;
  perform set_config('role', v_role, true);
  perform set_config('pgthreads.pgtap_owner', v_owner, true);
  perform set_config('pgthreads.pgtap_messages', (
    select jsonb_object_agg(v.id, jsonb_build_object('id', v.id, 'role', v.role, 'parts',
      jsonb_build_array(jsonb_build_object('type', 'text', 'text', v.text))))
    from (values
      ('u1', 'user', 'one'), ('a1', 'assistant', 'two'), ('u2', 'user', 'three'),
      ('a2', 'assistant', 'four'), ('u3', 'user', 'five'), ('a3', 'assistant', 'six')
    ) as v (id, role, text)
  )::text, true);
end;
$$;

select * from no_plan();

-- The schema.
select is(
  (select p.fact from present as p where p.kind = r.kind and p.name = r.name), r.fact,
  concat_ws(' ', r.kind, r.name)
)
from released as r
where r.part = 'core' or to_regclass('pgthreads.message_search') is not null
order by r.part, r.kind, r.name;
select is_empty(
  $$
    select p.kind, p.name
    from present as p
    where p.kind <> 'index'
      and not exists (select from released as r where r.kind = p.kind and r.name = p.name)
    order by p.kind, p.name
  $$,
  'nothing else is in the schema'
);

-- Rules for whatever is there, parts of the application's own included.
select is_empty(
  $$
    select p.oid::regprocedure
    from pg_proc as p
    where p.pronamespace = to_regnamespace('pgthreads')
      and p.prosecdef
      and 'search_path=pg_catalog, pg_temp' = any (p.proconfig) is not true
  $$,
  'every security definer function pins its search_path'
);
select is_empty(
  $$
    select c.relname
    from pg_class as c
    where c.relnamespace = to_regnamespace('pgthreads') and c.relkind in ('r', 'p')
      and not (c.relrowsecurity and c.relforcerowsecurity)
  $$,
  'row level security is enabled and forced on every table, partitions included'
);
select is_empty(
  $$
    select c.relname, t.tgname
    from pg_trigger as t
    join pg_class as c on c.oid = t.tgrelid
    where c.relnamespace = to_regnamespace('pgthreads') and t.tgenabled not in ('O', 'A')
  $$,
  'no trigger is switched off, foreign keys included'
);
select is_empty(
  $$
    select i.indexrelid::regclass
    from pg_index as i
    join pg_class as c on c.oid = i.indrelid
    where c.relnamespace = to_regnamespace('pgthreads') and not (i.indisvalid and i.indisready)
  $$,
  'every index is valid'
);
select is_empty(
  $$
    select r.rolname
    from pg_roles as r
    where r.rolcanlogin and not r.rolsuper and r.rolbypassrls
      and pg_has_role(r.oid, 'pgthreads_server', 'member')
  $$,
  'no login of the server role gets around row level security'
);

-- Settings.
select cmp_ok(
  current_setting('server_version_num')::int, '>=', 150000, 'PostgreSQL is 15 or later'
);
select is(current_setting('server_encoding'), 'UTF8', 'the database is in UTF-8');
select is(current_setting('session_replication_role'), 'origin', 'triggers fire');
select is_empty(
  $$
    select coalesce(r.rolname, 'all roles'), c.setting
    from pg_db_role_setting as s
    left join pg_roles as r on r.oid = s.setrole
    cross join unnest(s.setconfig) as c (setting)
    where (c.setting like 'app.current_user_id=%' or c.setting like 'session_replication_role=%')
      and (s.setdatabase = 0
        or s.setdatabase = (select d.oid from pg_database as d where d.datname = current_database()))
  $$,
  'no role and no database sets a tenant for its sessions'
);
select is(
  pg_temp.said('select count(*) from pgthreads.config', 'pgthreads_maintenance', false), '1',
  'config has its row'
);
select is(
  pg_temp.said('select pgthreads.require_server_role() = current_role'), 'true',
  'the server role may serve'
);

-- Appends: stored once, in order, whole, and by nobody but the functions.
select is(
  pg_temp.said($$ select a.appended from pgthreads.append_thread(
    $1, 'k', jsonb_build_array($2 -> 'u1', $2 -> 'a1')) as a $$),
  '2', 'append_thread makes a thread of two messages'
);
select is(
  pg_temp.said($$ select a.appended from pgthreads.append_thread(
    $1, 'k', jsonb_build_array($2 -> 'a1')) as a $$),
  '0', 'the same message again changes nothing'
);
select is(
  pg_temp.said($$ select a.appended from pgthreads.append_thread(
    $1, 'k', jsonb_build_array(($2 -> 'a2') || '{"id": "a1"}')) as a $$),
  'THDUP', 'a known id with other content is refused'
);
select is(
  pg_temp.said($$ select a.appended from pgthreads.append_thread(
    $1, 'k', jsonb_build_array($2 -> 'u2'), 1) as a $$),
  'THCNT', 'an append that expects another count is refused'
);
select is(
  pg_temp.said($$ select a.appended from pgthreads.append_thread(
    $1, 'no key', jsonb_build_array($2 -> 'u2')) as a $$),
  'THKEY', 'a bad state key is refused'
);
select is(
  pg_temp.said($$ select a.appended from pgthreads.append_thread($1, 'k', '[{"id": "x"}]') as a $$),
  'THMSG', 'what is no UIMessage is refused'
);
select is(
  pg_temp.said($$ select s.appended from pgthreads.save_thread(
    $1, 'k', jsonb_build_array($2 -> 'u1')) as s $$),
  'THSHR', 'a save that would shorten the thread is refused'
);
select is(
  pg_temp.said($$ select pgthreads.load_thread($1, 'k')::jsonb
    = jsonb_build_array($2 -> 'u1', $2 -> 'a1') $$),
  'true', 'load_thread returns what was appended'
);
select is(
  pg_temp.said($$ select v.messages = jsonb_build_array($2 -> 'u1', $2 -> 'a1')
    from pgthreads.ai_threads as v where v.state_key = 'k' $$),
  'true', 'and so does the view ai_threads'
);
select is(
  pg_temp.said(s.statement), '42501', 'the server role may not ' || left(s.statement, 6)
)
from (values
  ($$ insert into pgthreads.message (owner_user_id, state_key, seq, message_id, message, digest)
    values ($1, 'k', 3, 'x', '{}', '') $$),
  ($$ update pgthreads.message set message = '{}' where owner_user_id = $1 $$),
  ($$ delete from pgthreads.message where owner_user_id = $1 $$)
) as s (statement);
select is(
  pg_temp.said($$ update pgthreads.message set message = '{}' where owner_user_id = $1 $$,
    'pgthreads_maintenance', false),
  '42501', 'maintenance may not update a message'
);
select is(
  pg_temp.said(
    $$ select v.ok from pgthreads.verify_threads($1) as v where v.state_key = 'k' $$,
    'pgthreads_maintenance', false),
  'true', 'the digests fit'
);

-- Tenants.
do $$ begin perform set_config('app.current_user_id', '', true); end; $$;
select is(
  pg_temp.said($$ select pgthreads.load_thread($1, 'k') $$, 'pgthreads_server', false),
  'THTEN', 'without a tenant a call is refused'
);
select is(
  pg_temp.said('select count(*) from pgthreads.ai_threads', 'pgthreads_server', false),
  '0', 'and no row is visible'
);
select is(
  pg_temp.said($$ select pgthreads.load_thread('another ' || $1, 'k') $$),
  'THTEN', 'another owner than the tenant is refused'
);
do $$
begin
  perform set_config(
    'app.current_user_id', 'another ' || current_setting('pgthreads.pgtap_owner'), true);
end;
$$;
select is(
  pg_temp.said('select count(*) from pgthreads.message', 'pgthreads_server', false),
  '0', 'another tenant sees nothing of it'
);
do $$ begin perform set_config('app.current_user_id', '', true); end; $$;

-- Turns.
select is(
  pg_temp.said($$ select b.outcome from pgthreads.begin_turn($1, 't', $2 -> 'u1', 'turn-1') as b $$),
  'started', 'begin_turn starts a turn'
);
select is(
  pg_temp.said($$ select b.outcome from pgthreads.begin_turn($1, 't', $2 -> 'u1', 'turn-2') as b $$),
  'running', 'the same message again finds it running'
);
select is(
  pg_temp.said($$ select b.outcome from pgthreads.begin_turn($1, 't', $2 -> 'u2', 'turn-2') as b $$),
  'THTRN', 'another message is refused while it runs'
);
select is(
  pg_temp.said($$ select b.outcome from pgthreads.begin_turn($1, 'x', $2 -> 'a1', 'turn-2') as b $$),
  'THMSG', 'begin_turn takes no message but a user''s'
);
select is(
  pg_temp.said($$ select pgthreads.request_stop($1, 't') $$), 'turn-1',
  'a running turn can be asked to stop'
);
select is(
  pg_temp.said($$ select e.alive and e.stop_requested
    from pgthreads.extend_turn($1, 't', 'turn-1') as e $$),
  'true', 'and learns of it'
);
select is(
  pg_temp.said($$ select c.status
    from pgthreads.complete_turn($1, 't', 'turn-1', 'stopped', $2 -> 'a1') as c $$),
  'stopped', 'an answer is stored with the end of its turn'
);
select is(
  pg_temp.said($$ select b.outcome from pgthreads.begin_turn($1, 't', $2 -> 'u1', 'turn-3') as b $$),
  'answered', 'the message that was answered starts nothing'
);
select is(
  pg_temp.said($$ select a.appended from pgthreads.append_thread(
    $1, 't', jsonb_build_array($2 -> 'a2'), null, 'turn-1') as a $$),
  'THLST', 'a turn that has ended cannot append'
);

-- Threads.
select is(
  pg_temp.said($$ select u.title from pgthreads.update_thread($1, 'k', 'a title') as u $$),
  'a title', 'a thread can be named'
);
select is(
  pg_temp.said($$ select string_agg(l.state_key, ' ') from pgthreads.list_threads($1) as l $$),
  't k', 'list_threads has both threads, the newest first'
);
select is(
  pg_temp.said($$ select pgthreads.soft_delete_thread($1, 'k') $$), 'true', 'a thread can be deleted'
);
select is(
  pg_temp.said($$ select a.appended from pgthreads.append_thread(
    $1, 'k', jsonb_build_array($2 -> 'u2')) as a $$),
  'THDEL', 'a deleted thread takes no message'
);
select is(
  pg_temp.said('select count(*) from pgthreads.ai_threads'), '1', 'and is not shown'
);

-- Redaction: its rules, screens and triggers; then that what is stored is what redact_text() says, for
-- a sample of each kind that ships. Each is appended alone, so that no screen does another one's work.
select is(
  pg_temp.said($$ select string_agg(concat_ws(': ', f.rule, f.fault), '; ')
    from pgthreads.redaction_faults() as f $$),
  null, 'redaction works as its rules say'
);
create temp table sample (kind text, text text);
insert into sample values
  ('private keys', '-----BEGIN PRIVATE KEY-----' || E'\nMIIE\n' || '-----END PRIVATE KEY-----'),
  ('tokens', 'eyJ' || repeat('a', 20) || '.eyJ' || repeat('b', 20) || '.' || repeat('c', 20)),
  ('bearer tokens', 'Bearer ' || repeat('a1', 16)),
  ('tokens of GitHub', 'ghp_' || repeat('a1', 18)),
  ('keys of providers', 'sk-' || repeat('a1', 16)),
  ('key ids of clouds', 'AKIA' || repeat('A1', 8)),
  ('keys of clouds', 'secret_access_key = ' || repeat('a1', 20)),
  ('passwords in URLs', 'postgresql://ada:lovelace@db.example/chat'),
  ('payment cards', '4111 1111 1111 1111'),
  ('social security numbers', '123-45-6789'),
  ('IBANs', 'DE89 3704 0044 0532 0130 00'),
  ('e-mail addresses', 'ada@example.org'),
  ('phone numbers', '+44 20 7946 0000'),
  ('IP addresses', '192.0.2.10');
do $$
begin
  perform pg_temp.said(format('select pgthreads.append_thread($1, ''r'', %L)', jsonb_build_array(
    jsonb_build_object('id', s.kind, 'role', 'user', 'parts', jsonb_build_array(
      jsonb_build_object('type', 'text', 'text', s.text))))))
  from sample as s;
end;
$$;
select is(
  pg_temp.said(format(
    $$ select r.message #>> '{parts,0,text}' from pgthreads.read_messages($1, 'r') as r
      where r.message ->> 'id' = %L $$, s.kind)),
  pg_temp.said(format('select pgthreads.redact_text(%L)', s.text)),
  'redaction of ' || s.kind
)
from sample as s;

select * from finish();
rollback;
