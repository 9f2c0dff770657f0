-- HMAC-SHA256 (RFC 2104), made of core functions, because pgcrypto is not installed everywhere. A
-- bit string does the exclusive or with the pads, and bit_send() turns it into bytes, with four
-- bytes of length before them.

create or replace function pgthreads.hmac_sha256(p_key bytea, p_message bytea)
returns bytea
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_block bit(512) := ('x' || rpad(
    encode(case when octet_length(p_key) > 64 then sha256(p_key) else p_key end, 'hex'), 128, '0'
  ))::bit(512);
begin
  return sha256(
    substr(bit_send(v_block # repeat('01011100', 64)::bit(512)), 5)
    || sha256(substr(bit_send(v_block # repeat('00110110', 64)::bit(512)), 5) || p_message)
  );
end;
$$;

comment on function pgthreads.hmac_sha256(bytea, bytea) is
  'The HMAC-SHA256 of the message under the key.';
revoke all on function pgthreads.hmac_sha256(bytea, bytea) from public;
