-- Refuses to go on where the schema has no limits: somebody has loaded a dump of the schema without
-- its data, which has no redaction rules either. Functions that find config empty call this, so
-- that nothing is stored or returned unredacted.

create or replace function pgthreads.require_installed()
returns void
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from pgthreads.config) then
    raise exception 'the installation of pgthreads is incomplete' using
      errcode = 'object_not_in_prerequisite_state',
      detail = 'pgthreads.config has no row. Most likely a dump of the schema was loaded without'
        ' its data, so the limits and the redaction rules are missing.',
      hint = 'Run db/install.sql or pgthreads migrate, which install an empty schema again.';
  end if;
end;
$$;

comment on function pgthreads.require_installed() is
  'Raises 55000 where pgthreads.config is empty, as in a schema that was loaded without its data.';
revoke all on function pgthreads.require_installed() from public;
