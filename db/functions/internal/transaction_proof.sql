-- What set_tenant leaves in the session besides the tenant, so that it can be told from a bare
-- `set`: 96 hexadecimal digits, of when the token expires (8 bytes, seconds since 1970), of a
-- transaction id (8 bytes), and of the mac over both (see tenant_mac). It holds for one owner, one
-- backend and one transaction.
--
-- The mac is over the start of the transaction, which only transactions of the same message of the
-- simple query protocol can share. So where the message may hold more than one statement, the
-- transaction gets an id, which the proof names: 0 stands for none. Elsewhere it costs no id, which
-- readers would pay for with a write, and which a standby has none of.

create or replace function pgthreads.transaction_proof(p_owner_user_id text, p_expires bigint)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_claims bytea;
  v_xid bigint := bigint '0';
begin
  if coalesce(current_query() ~ ';[[:space:]]*[^[:space:]]', true) then
    if pg_is_in_recovery() then
      raise exception 'on a standby set_tenant has to be in a message of its own' using
        errcode = 'THTEN',
        detail = 'The message holds several statements, and a standby has no transaction ids.',
        hint = 'Send one statement at a time, as the extended query protocol does.';
    end if;
    v_xid := pg_current_xact_id()::text::bigint;
  end if;
  v_claims := int8send(p_expires) || int8send(v_xid);
  return encode(v_claims || pgthreads.tenant_mac(p_owner_user_id, v_claims), 'hex');
end;
$$;

comment on function pgthreads.transaction_proof(text, bigint) is
  'The proof that this transaction has that tenant until then; for the owner role alone.';
revoke all on function pgthreads.transaction_proof(text, bigint) from public;
