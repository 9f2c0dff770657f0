-- The mac in the proof that set_tenant leaves: HMAC-SHA256 with the database's secret over what the
-- transaction is, what the proof claims, and the owner. What stands before the owner is bytes of a
-- fixed length: as text, neither the time nor its zone would be safe from the session's settings.
--
-- p_claims are 16 bytes: see transaction_proof(), which makes them, and verified_tenant().

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
  'The mac of a proof for that tenant in this transaction; for the owner role alone.';
revoke all on function pgthreads.tenant_mac(text, bytea) from public;
