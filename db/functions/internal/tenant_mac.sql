-- The MAC in the proof that set_tenant leaves: the HMAC-SHA256, with the database's secret, of the
-- transaction's backend and start, the claims of the proof, and the owner. All that comes before
-- the owner are bytes of a fixed length. As text, the time and its zone would depend on the
-- session's settings.
--
-- p_claims are 16 bytes. transaction_proof() makes them, and verified_tenant() checks them.

create or replace function pgthreads.tenant_mac(p_owner_user_id text, p_claims bytea)
returns bytea
language plpgsql
stable
parallel restricted
set search_path = pg_catalog, pg_temp
as $$
begin
  return pgthreads.hmac_sha256(
    (select s.secret from pgthreads.tenant_secret as s),
    int4send(pg_backend_pid()) || timestamptz_send(transaction_timestamp()) || p_claims
      || convert_to(p_owner_user_id, 'UTF8')
  );
end;
$$;

comment on function pgthreads.tenant_mac(text, bytea) is
  'The MAC of a proof for that tenant in this transaction; only the owner role may call it.';
revoke all on function pgthreads.tenant_mac(text, bytea) from public;
