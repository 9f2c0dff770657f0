-- The tenant of this transaction, if the proof says that set_tenant has set it and its token has
-- not expired since; null after a bare `set`. Policies compare rows with what this returns, and do
-- not only check that it returns something. Otherwise a query that changes the setting while it
-- runs would pass by the check that was made for the tenant before. The MACs are compared by their
-- digests, so the time that this takes tells nothing about a proof.

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
  v_text text := current_setting('app.tenant_proof', true);
  v_proof bytea;
  v_claims bytea;
  v_xid bigint;
begin
  if v_tenant is null or char_length(v_text) is distinct from 96 or v_text !~ '^[0-9a-f]+$' then
    return null;
  end if;
  v_proof := decode(v_text, 'hex');
  v_claims := substr(v_proof, 1, 16);
  if sha256(substr(v_proof, 17)) <> sha256(pgthreads.tenant_mac(v_tenant, v_claims)) then
    return null;
  end if;
  -- The MAC is right, so the claims are what transaction_proof() has written.
  v_xid := ('x' || substr(v_text, 17, 16))::bit(64)::bigint;
  if ('x' || left(v_text, 16))::bit(64)::bigint <= extract(epoch from clock_timestamp())
    or v_xid <> 0 and v_xid is distinct from pg_current_xact_id_if_assigned()::text::bigint
  then
    return null;
  end if;
  return v_tenant;
end;
$$;

comment on function pgthreads.verified_tenant() is
  'The tenant that set_tenant has set in this transaction; null if a bare set did, or nobody.';
revoke all on function pgthreads.verified_tenant() from public;
grant execute on function pgthreads.verified_tenant() to pgthreads_server;
