-- The ledger of migrations and the one function that applies them. psql and every other installer
-- pass it the same bytes, so that the same checksum is stored whichever of them runs. This file
-- runs as pgthreads_owner.

-- An upgrade changes every table or its policies. Meanwhile servers go on calling functions, which
-- lock tables in any order. So this locks all tables, either all of them at once or none. A try
-- that holds some tables and waits for others gives up long before a deadlock_timeout (by default
-- 1 s) would end somebody's call; and between two tries, the calls that have queued up behind it
-- get through.
--
-- An autovacuum gives way only to a session that waits for longer than deadlock_timeout. So this
-- waits for it first, in a mode that conflicts with no call and that keeps the next autovacuum
-- away.
do $$
declare
  v_tables regclass[] := array(
    select c.oid::regclass
    from pg_catalog.pg_class as c
    where c.relnamespace = 'pgthreads'::regnamespace
      and c.relkind in ('r', 'p', 'v')
      and not c.relispartition
    -- This is mostly the order of the functions: limits and rules first, then threads, then what
    -- belongs to threads.
    order by
      c.relkind = 'v',
      array_position(array['config', 'redaction_rule', 'thread'], c.relname::text),
      c.relname
  );
  v_names text := array_to_string(v_tables, ', ');
  v_lock_timeout text := current_setting('lock_timeout');
  v_tries constant int := 30;
  -- These sessions held a table at every try, so their transactions are older than those of the
  -- servers' calls.
  v_holders text[];
begin
  if v_tables <> '{}' then
    perform set_config('lock_timeout', '3s', true);
    execute format('lock table %s in share update exclusive mode', v_names);
    for v_try in 1..v_tries loop
      begin
        perform set_config('lock_timeout', format('%sms', least(v_try * 20, 250)), true);
        execute format('lock table %s in access exclusive mode', v_names);
        exit;
      exception
        when lock_not_available or deadlock_detected then
          v_holders := array(
            select distinct l.pid || ' ' || l.virtualtransaction
            from pg_catalog.pg_locks as l
            where l.relation = any (v_tables) and l.granted and l.pid <> pg_backend_pid()
              and (v_try = 1
                or l.pid || ' ' || l.virtualtransaction = any (v_holders))
          );
          if v_try = v_tries then
            raise;
          end if;
      end;
      perform pg_sleep(0.1 + random() * 0.2);
    end loop;
    perform set_config('lock_timeout', v_lock_timeout, true);
  end if;
exception
  when lock_not_available or deadlock_detected then
    raise exception 'the tables of pgthreads are in use' using
      errcode = 'lock_not_available',
      detail = format('These sessions use them: %s.', coalesce(
        (
          select string_agg(distinct split_part(h.holder, ' ', 1), ', ')
          from unnest(v_holders) as h (holder)
        ),
        -- If there was no try at all, a VACUUM or the building of an index is in the way. Calls
        -- hold weaker locks.
        (
          select string_agg(distinct l.pid::text, ', ')
          from pg_catalog.pg_locks as l
          where l.relation = any (v_tables) and l.granted and l.pid <> pg_backend_pid()
            and l.mode not in ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
        ),
        'unknown')),
      hint = 'Nothing was changed. Run it again when pg_dump and long transactions have ended.';
end;
$$;

comment on schema pgthreads is 'Server-authoritative chat threads.';
grant usage on schema pgthreads to pgthreads_server, pgthreads_maintenance;

create table if not exists pgthreads.migration (
  name text primary key check (name ~ '^[0-9]{4}_[a-z0-9_]+$'),
  checksum text not null,
  applied_at timestamptz not null default clock_timestamp()
);
alter table pgthreads.migration enable row level security;
alter table pgthreads.migration force row level security;
comment on table pgthreads.migration is 'The applied migrations, and the sha256 of their text.';

do $$
begin
  if not exists (
    select
    from pg_catalog.pg_policy as p
    where p.polrelid = 'pgthreads.migration'::regclass and p.polname = 'migration_owner'
  ) then
    create policy migration_owner on pgthreads.migration to pgthreads_owner
      using (true) with check (true);
  end if;
end;
$$;

create or replace function pgthreads.apply_migration(p_name text, p_sql text)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_checksum text := encode(sha256(convert_to(rtrim(p_sql, E'\r\n'), 'UTF8')), 'hex');
  v_applied text;
begin
  perform set_config('pgthreads.known_migrations',
    concat_ws(' ', current_setting('pgthreads.known_migrations', true), p_name), true);
  select m.checksum into v_applied from pgthreads.migration as m where m.name = p_name;
  if v_applied = v_checksum then
    return false;
  end if;
  if v_applied is not null then
    raise exception 'migration % was edited after it had been applied', p_name using
      errcode = 'object_not_in_prerequisite_state',
      detail = format('The applied checksum is %s, the checksum of the file is %s.',
        v_applied, v_checksum),
      hint = 'Restore the file as it was released and put the change into a new migration.';
  end if;
  execute p_sql;
  insert into pgthreads.migration (name, checksum) values (p_name, v_checksum);
  return true;
end;
$$;

comment on function pgthreads.apply_migration(text, text) is
  'Runs a migration that has not run yet; refuses one that was edited after it ran.';
revoke all on function pgthreads.apply_migration(text, text) from public;

-- An older release would create its functions again, beside newer ones with other signatures. Calls
-- would then be ambiguous.
create or replace function pgthreads.refuse_older_release()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_unknown text := (
    select string_agg(m.name, ', ' order by m.name)
    from pgthreads.migration as m
    where m.name <> all (string_to_array(current_setting('pgthreads.known_migrations', true), ' '))
  );
begin
  if v_unknown is not null then
    raise exception 'this database has the schema of a newer release' using
      errcode = 'object_not_in_prerequisite_state',
      detail = format('These migrations are not part of this release: %s.', v_unknown),
      hint = 'Install the newest release; servers of the release before it go on working.';
  end if;
end;
$$;

comment on function pgthreads.refuse_older_release() is
  'Refuses an installation that does not have every migration that has run.';
revoke all on function pgthreads.refuse_older_release() from public;
