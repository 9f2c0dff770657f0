-- The proof that set_tenant leaves in the session besides the tenant, so that it can be told from a
-- bare `set`. It has 96 hexadecimal digits: the time when the token expires (8 bytes, seconds since
-- 1970), a transaction id (8 bytes), and the MAC of both (see tenant_mac). It holds for one owner,
-- one backend and one transaction.
--
-- The MAC covers the start of the transaction. Two transactions can only share that if they come in
-- the same message of the simple query protocol. So if the message may hold more than one
-- statement, the transaction gets an id, and the proof names it. Otherwise the proof has 0, because
-- an id would cost readers a write, and a standby has no ids.

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
      raise exception 'on a standby set_tenant needs a message of its own' using
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
  'Proves until p_expires that this transaction has that tenant; only the owner role may call it.';
revoke all on function pgthreads.transaction_proof(text, bigint) from public;
