-- Refuses a call for an owner who is not the tenant of this transaction. Every function that takes
-- p_owner_user_id calls it first: TENANT_SCOPED.

create or replace function pgthreads.require_tenant(p_owner_user_id text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_tenant text := nullif(current_setting('app.current_user_id', true), '');
begin
  if pgthreads.requires_token() and v_tenant is not null
    and pgthreads.verified_tenant() is distinct from v_tenant
  then
    raise exception 'the tenant is not verified' using
      errcode = 'THTEN',
      detail = 'set_tenant did not set app.current_user_id in this transaction, or its token has'
        ' expired since.',
      hint = 'Call pgthreads.set_tenant(token) first, in the same transaction.';
  end if;
  if v_tenant is null then
    raise exception 'no tenant is set' using
      errcode = 'THTEN',
      detail = 'The setting app.current_user_id is empty in this transaction.',
      hint = 'Call pgthreads.set_tenant(owner_user_id) first, in the same transaction.';
  end if;
  if p_owner_user_id is distinct from v_tenant then
    raise exception 'the owner is not the tenant of this transaction' using
      errcode = 'THTEN',
      detail = 'The argument p_owner_user_id differs from the setting app.current_user_id.',
      hint = 'Pass the owner that set_tenant returned.';
  end if;
end;
$$;

comment on function pgthreads.require_tenant(text) is
  'Raises THTEN unless the argument is the tenant of this transaction.';
revoke all on function pgthreads.require_tenant(text) from public;
grant execute on function pgthreads.require_tenant(text) to pgthreads_server;
