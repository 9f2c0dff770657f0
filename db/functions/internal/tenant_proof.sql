-- A proof for functions that act for an owner without a token, and for verify_tenant_token of
-- release 0.1.0, which an upgrade may find under way: it is good for a minute, and in this
-- transaction.

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
  'The proof that this transaction has that tenant for a minute; for the owner role alone.';
revoke all on function pgthreads.tenant_proof(text) from public;
