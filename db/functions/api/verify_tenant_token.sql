-- Checks a tenant token, `owner.expiry.mac`: the owner in base64url of UTF-8, the expiry in seconds
-- since 1970, and the HMAC-SHA256, in hex, of the text before the second dot. Returns the owner,
-- and the proof that set_tenant leaves in the transaction. MACs are compared by their digests, so
-- the time that this takes tells nothing about them. No error quotes the token, because errors end
-- up in logs.

create or replace function pgthreads.verify_tenant_token(p_token text)
returns table (owner_user_id text, proof text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_parts text[] := string_to_array(p_token, '.');
  v_signed bytea := convert_to(v_parts[1] || '.' || v_parts[2], 'UTF8');
  v_digest bytea;
  v_active boolean;
  v_owner text;
begin
  if coalesce(p_token, '') = '' then
    raise exception 'a tenant token is needed' using
      errcode = 'THTEN',
      detail = 'set_tenant got null or an empty string.',
      hint = 'Pass a token: base64url(owner).expiry.hmac-sha256.';
  end if;
  -- These are several simple tests, because one regular expression for all of it takes 120 µs.
  if cardinality(v_parts) <> 3
    or v_parts[1] !~ '^[A-Za-z0-9_-]+$' or char_length(v_parts[1]) > 1360
    or v_parts[2] !~ '^[0-9]+$' or char_length(v_parts[2]) > 12
    or v_parts[3] !~ '^[0-9a-f]+$' or char_length(v_parts[3]) <> 64
  then
    raise exception 'not a tenant token' using
      errcode = 'THTEN',
      detail = format('set_tenant got %s characters that do not have the form of a token.',
        char_length(p_token)),
      hint = 'Pass a token, and not the owner: base64url(owner).expiry.hmac-sha256.';
  end if;
  v_digest := sha256(decode(v_parts[3], 'hex'));
  select bool_or(clock_timestamp() between k.active_from and k.active_until) into v_active
  from pgthreads.tenant_key as k
  where sha256(pgthreads.hmac_sha256(k.key, v_signed)) = v_digest;
  if v_active is null then
    raise exception 'the tenant token is not signed by a known key' using
      errcode = 'THTEN',
      detail = case
        when exists (select from pgthreads.tenant_key) then 'Its MAC fits no key of this database.'
        else 'This database has no keys: pgthreads.tenant_key is empty.'
      end,
      hint = 'Sign the first two fields, with the dot between them, with a key of'
        ' pgthreads.tenant_key.';
  end if;
  if not v_active then
    raise exception 'the key of the tenant token is not active' using
      errcode = 'THTEN',
      detail = 'Its key is known, but now is not between the key''s active_from and active_until.',
      hint = 'Sign with a key that is active now.';
  end if;
  if v_parts[2]::bigint <= extract(epoch from clock_timestamp()) then
    raise exception 'the tenant token has expired' using
      errcode = 'THTEN',
      detail = format('It was valid until %s.', to_timestamp(v_parts[2]::bigint)),
      hint = 'Sign a new token for each call. If this one was new, compare the clocks.';
  end if;
  begin
    v_owner := convert_from(
      decode(rpad(translate(v_parts[1], '-_', '+/'), (char_length(v_parts[1]) + 3) / 4 * 4, '='),
        'base64'),
      'UTF8');
  exception
    when data_exception then
      v_owner := null;
  end;
  if v_owner is null or char_length(v_owner) not between 1 and 255 then
    raise exception 'the tenant token names no owner' using
      errcode = 'THTEN',
      detail = 'Its first field is not the base64url of 1 to 255 characters in UTF-8.',
      hint = 'Encode the owner as UTF-8, then as base64url without padding.';
  end if;
  return query select v_owner, pgthreads.transaction_proof(v_owner, v_parts[2]::bigint);
end;
$$;

comment on function pgthreads.verify_tenant_token(text) is
  'The owner in a tenant token, and the proof for this transaction; raises THTEN for a bad token.';
revoke all on function pgthreads.verify_tenant_token(text) from public;
grant execute on function pgthreads.verify_tenant_token(text) to pgthreads_server;
