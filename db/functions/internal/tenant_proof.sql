-- A proof that is valid for a minute and in this transaction. It is for functions that act for an
-- owner without a token, and for verify_tenant_token of release 0.1.0, which may be running during
-- an upgrade.

create or replace function pgthreads.tenant_proof(p_owner_user_id text)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  return pgthreads.transaction_proof(
    p_owner_user_id, extract(epoch from clock_timestamp())::bigint + 60);
end;
$$;

comment on function pgthreads.tenant_proof(text) is
  'Proves for a minute that this transaction has that tenant; only the owner role may call it.';
revoke all on function pgthreads.tenant_proof(text) from public;
