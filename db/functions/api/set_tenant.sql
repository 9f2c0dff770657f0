-- Sets the tenant for the rest of this transaction and returns it, so that one statement can set it
-- and call a function laterally. On Citus it uses `set local` and not set_config(), because Citus
-- sends only the former on to its other nodes.
--
-- The argument is the owner, or a tenant token (see verify_tenant_token) that names the owner. With
-- config.require_verified_tenant it has to be a token. Tokens are also accepted without that, so
-- that programs can change over to them before it is turned on.
--
-- The functions for bigint and uuid are for programs whose users have such ids: they pass the id's
-- text on, to the same checks. PostgreSQL takes the function for text where it does not know the
-- type of the argument, so they make no call ambiguous.

create or replace function pgthreads.set_tenant(p_owner_user_id text)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_owner text := p_owner_user_id;
  v_proof text;
begin
  -- Every call pays for this, and each expression costs a microsecond: what is usually the case is
  -- asked for together.
  if char_length(p_owner_user_id) between 1 and 255
    and not pgthreads.requires_token()
    and left(right(p_owner_user_id, 65), 1) <> '.'
    and current_setting('row_security') = 'on'
    and current_setting('citus.shard_count', true) is null
  then
    return set_config('app.current_user_id', p_owner_user_id, true);
  end if;
  if pgthreads.requires_token()
    or (left(right(v_owner, 65), 1) = '.' and v_owner ~ '^[A-Za-z0-9_-]+[.][0-9]+[.][0-9a-f]+$')
  then
    select t.owner_user_id, t.proof into strict v_owner, v_proof
    from pgthreads.verify_tenant_token(p_owner_user_id) as t;
    execute format('set local app.tenant_proof = %L', v_proof);
  elsif v_owner is null or char_length(v_owner) not between 1 and 255 then
    raise exception 'not an owner id' using
      errcode = 'THTEN',
      detail = 'An owner id has 1 to 255 characters.',
      hint = 'Pass the authenticated user''s id.';
  end if;
  -- A role may have this setting, and every query with a policy would fail.
  if current_setting('row_security') = 'off' then
    perform set_config('row_security', 'on', true);
  end if;
  -- set_config() costs a tenth of `set local`. Where Citus is loaded, its settings exist.
  if current_setting('citus.shard_count', true) is null then
    perform set_config('app.current_user_id', v_owner, true);
  else
    execute format('set local app.current_user_id = %L', v_owner);
  end if;
  return v_owner;
end;
$$;

comment on function pgthreads.set_tenant(text) is
  'Sets the tenant of this transaction, named or by a tenant token, and returns it.';
revoke all on function pgthreads.set_tenant(text) from public;
grant execute on function pgthreads.set_tenant(text) to pgthreads_server;

create or replace function pgthreads.set_tenant(p_owner_user_id bigint)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  return pgthreads.set_tenant(p_owner_user_id::text);
end;
$$;

comment on function pgthreads.set_tenant(bigint) is
  'Sets the tenant of this transaction to the text of a number, and returns that text.';
revoke all on function pgthreads.set_tenant(bigint) from public;
grant execute on function pgthreads.set_tenant(bigint) to pgthreads_server;

create or replace function pgthreads.set_tenant(p_owner_user_id uuid)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  return pgthreads.set_tenant(p_owner_user_id::text);
end;
$$;

comment on function pgthreads.set_tenant(uuid) is
  'Sets the tenant of this transaction to the text of a uuid, and returns that text.';
revoke all on function pgthreads.set_tenant(uuid) from public;
grant execute on function pgthreads.set_tenant(uuid) to pgthreads_server;
