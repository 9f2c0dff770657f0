-- The tenant of this transaction if set_tenant has set it, by its proof; null after a bare `set`.
-- Policies compare with what it returns, and not only whether it returns something: a query that
-- changes the setting while it runs would otherwise be let through by the check of the tenant before.
-- The comparison is one of digests, so the time that it takes tells nothing about the proof.

create or replace function pgthreads.verified_tenant()
returns text
language plpgsql
stable
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_tenant text := nullif(current_setting('app.current_user_id', true), '');
  v_proof text := nullif(current_setting('app.tenant_proof', true), '');
begin
  if v_tenant is null or v_proof is null then
    return null;
  end if;
  if sha256(convert_to(v_proof, 'UTF8'))
    = sha256(convert_to(pgthreads.tenant_proof(v_tenant), 'UTF8'))
  then
    return v_tenant;
  end if;
  return null;
end;
$$;

comment on function pgthreads.verified_tenant() is
  'The tenant that set_tenant has set in this transaction; null if there is none, or by a bare set.';
revoke all on function pgthreads.verified_tenant() from public;
grant execute on function pgthreads.verified_tenant() to pgthreads_server;
