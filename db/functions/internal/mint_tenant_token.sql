-- Signs a tenant token with the newest active key. Only the owner role may call this, because
-- whoever can sign can be any tenant. Applications sign with a copy of a key, in their own
-- language.

create or replace function pgthreads.mint_tenant_token(
  p_owner_user_id text,
  p_ttl interval default '5 minutes'
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_key bytea;
  v_signed text;
begin
  if p_owner_user_id is null or char_length(p_owner_user_id) not between 1 and 255 then
    raise exception 'not an owner id' using
      errcode = 'THTEN',
      detail = 'An owner id has 1 to 255 characters.',
      hint = 'Pass the authenticated user''s id.';
  end if;
  if p_ttl is null or p_ttl <= '0' then
    raise exception 'not a time to live' using
      errcode = 'invalid_parameter_value',
      detail = format('p_ttl is %s.', coalesce(p_ttl::text, 'null')),
      hint = 'Pass for how long the token is to be valid, for example 5 minutes.';
  end if;
  select k.key into v_key
  from pgthreads.tenant_key as k
  where clock_timestamp() between k.active_from and k.active_until
  order by k.active_from desc, k.id desc
  limit 1;
  if not found then
    raise exception 'there is no key that tenant tokens could be signed with' using
      errcode = 'object_not_in_prerequisite_state',
      detail = 'No row of pgthreads.tenant_key is active.',
      hint = 'Make a key: insert into pgthreads.tenant_key (id) values (''first'').';
  end if;
  v_signed := format('%s.%s',
    translate(encode(convert_to(p_owner_user_id, 'UTF8'), 'base64'), E'+/=\n', '-_'),
    ceil(extract(epoch from clock_timestamp() + p_ttl))::bigint);
  return format('%s.%s', v_signed,
    encode(pgthreads.hmac_sha256(v_key, convert_to(v_signed, 'UTF8')), 'hex'));
end;
$$;

comment on function pgthreads.mint_tenant_token(text, interval) is
  'Signs a token with which set_tenant sets that tenant; only the owner role may call it.';
revoke all on function pgthreads.mint_tenant_token(text, interval) from public;
