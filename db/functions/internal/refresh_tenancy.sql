-- Trigger of config: keeps requires_token() the same as config.require_verified_tenant. Turning
-- that on is refused while there is no key, because nobody could work.

create or replace function pgthreads.refresh_tenancy()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if new.require_verified_tenant and not old.require_verified_tenant and not exists (
    select
    from pgthreads.tenant_key as k
    where clock_timestamp() between k.active_from and k.active_until
  ) then
    raise exception 'there is no key that tenant tokens could be signed with' using
      errcode = 'object_not_in_prerequisite_state',
      detail = 'No row of pgthreads.tenant_key is active.',
      hint = 'Make a key: insert into pgthreads.tenant_key (id) values (''first'').';
  end if;
  if pgthreads.requires_token() <> new.require_verified_tenant then
    execute format(
      'create or replace function pgthreads.requires_token() returns boolean'
      ' language sql stable parallel safe as %L',
      case when new.require_verified_tenant then 'select true' else 'select false' end);
  end if;
  return null;
end;
$$;

comment on function pgthreads.refresh_tenancy() is
  'Trigger of config: makes requires_token() return config.require_verified_tenant.';
revoke all on function pgthreads.refresh_tenancy() from public;
