-- What set_tenant leaves in the session besides the tenant, so that it can be told from a bare `set`.
-- It holds for one owner, one backend and one transaction: they stand before the owner in bytes of a
-- fixed length, and as text neither the time nor its zone would be safe from the session's settings.

create or replace function pgthreads.tenant_proof(p_owner_user_id text)
returns text
language plpgsql
stable
parallel restricted
set search_path = pg_catalog, pg_temp
as $$
begin
  return encode(
    pgthreads.hmac_sha256(
      (select s.secret from pgthreads.tenant_secret as s),
      int4send(pg_backend_pid()) || timestamptz_send(transaction_timestamp())
        || convert_to(p_owner_user_id, 'UTF8')
    ),
    'hex'
  );
end;
$$;

comment on function pgthreads.tenant_proof(text) is
  'The proof that this transaction has that tenant; for the owner role alone.';
revoke all on function pgthreads.tenant_proof(text) from public;
