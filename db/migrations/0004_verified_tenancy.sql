-- Verified tenancy: the switch, the keys that tenant tokens are signed with, and the secret of the
-- proofs that set_tenant leaves in the session.

set local lock_timeout = '10s';
set local statement_timeout = '10min';

alter table pgthreads.config add column require_verified_tenant boolean not null default false;

comment on column pgthreads.config.require_verified_tenant is
  'Whether set_tenant wants a signed token; then a bare set of app.current_user_id shows nothing.';

create table pgthreads.tenant_key (
  id text primary key
    constraint tenant_key_id_check check (id ~ '^[a-zA-Z0-9_-]{1,64}$'),
  key bytea not null default sha256(
    uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
  )
    constraint tenant_key_key_check check (octet_length(key) between 32 and 64),
  active_from timestamptz not null default clock_timestamp(),
  active_until timestamptz not null default 'infinity',
  constraint tenant_key_active_check check (active_from < active_until)
);

comment on table pgthreads.tenant_key is
  'Keys of tenant tokens. Several may be active at once, so that they can be rotated.';
comment on column pgthreads.tenant_key.id is 'For people; it is not in the token.';
comment on column pgthreads.tenant_key.key is
  'The key of HMAC-SHA256, 32 to 64 bytes; random if it is left out.';
comment on column pgthreads.tenant_key.active_from is
  'Tokens count from then on; the active key with the latest one signs.';
comment on column pgthreads.tenant_key.active_until is 'Tokens count until then.';

create table pgthreads.tenant_secret (
  only_row boolean primary key default true
    constraint tenant_secret_only_row_check check (only_row),
  secret bytea not null default sha256(
    uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
  )
);

comment on table pgthreads.tenant_secret is
  'One row: what the proofs of set_tenant are made with. A new secret ends no token.';
comment on column pgthreads.tenant_secret.only_row is 'Keeps this table at one row.';
comment on column pgthreads.tenant_secret.secret is 'Random; never leaves the database.';

insert into pgthreads.tenant_secret default values;
