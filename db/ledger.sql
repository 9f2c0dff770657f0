-- The ledger of migrations and the one function that applies them: psql and every other installer
-- hand it the same bytes, so that the same checksum is kept whichever of them ran.
-- Runs as pgthreads_owner.

comment on schema pgthreads is 'Server-authoritative chat threads.';
grant usage on schema pgthreads to pgthreads_server, pgthreads_maintenance;

create table if not exists pgthreads.migration (
  name text primary key check (name ~ '^[0-9]{4}_[a-z0-9_]+$'),
  checksum text not null,
  applied_at timestamptz not null default clock_timestamp()
);
alter table pgthreads.migration enable row level security;
alter table pgthreads.migration force row level security;
comment on table pgthreads.migration is 'Applied migrations and the sha256 of their text.';

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
  select m.checksum into v_applied from pgthreads.migration as m where m.name = p_name;
  if v_applied = v_checksum then
    return false;
  end if;
  if v_applied is not null then
    raise exception 'migration % was edited after it had been applied', p_name using
      errcode = 'object_not_in_prerequisite_state',
      detail = format('Applied checksum %s, checksum of the file %s.', v_applied, v_checksum),
      hint = 'Restore the file as it was released and put the change into a new migration.';
  end if;
  execute p_sql;
  insert into pgthreads.migration (name, checksum) values (p_name, v_checksum);
  return true;
end;
$$;

comment on function pgthreads.apply_migration(text, text) is
  'Runs a migration that has not run yet; refuses one that was edited after it had run.';
revoke all on function pgthreads.apply_migration(text, text) from public;
