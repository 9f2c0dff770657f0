-- Links to threads for people without an account: which thread up to which message, for how long, and
-- the digest of the token that opens it. There is no foreign key, which would keep thread from being
-- split into partitions: whoever shares holds the thread's row, and remove_thread deletes these rows.
-- squawk-ignore-file require-concurrent-index-creation

set local lock_timeout = '10s';
set local statement_timeout = '10min';

create table pgthreads.share (
  owner_user_id text collate "C" not null,
  state_key text collate "C" not null,
  share_id text collate "C" not null
    constraint share_share_id_check check (char_length(share_id) between 1 and 128),
  token_sha256 bytea not null
    constraint share_token_sha256_check check (octet_length(token_sha256) = 32),
  head_seq int not null
    constraint share_head_seq_check check (head_seq > 0),
  title text,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  constraint share_pkey primary key (owner_user_id, state_key, share_id)
);

create index share_token on pgthreads.share (token_sha256);

comment on table pgthreads.share is
  'Links that open one thread up to one message, for whoever has the token.';
comment on column pgthreads.share.owner_user_id is 'Whose thread it is.';
comment on column pgthreads.share.state_key is 'The thread.';
comment on column pgthreads.share.share_id is 'What the owner revokes it by; it opens nothing.';
comment on column pgthreads.share.token_sha256 is 'sha256 of the token, which is stored nowhere.';
comment on column pgthreads.share.head_seq is
  'The last message that is shown; what is appended later is not.';
comment on column pgthreads.share.title is 'The thread''s title when it was shared.';
comment on column pgthreads.share.created_at is 'When it was shared.';
comment on column pgthreads.share.expires_at is 'Until when the token opens it.';
comment on column pgthreads.share.revoked_at is 'When the owner ended it; null if nobody did.';

alter table pgthreads.config add column max_share_age interval not null default '365 days'
  constraint config_max_share_age_check check (max_share_age >= '0');

comment on column pgthreads.config.max_share_age is
  'How long a link to a thread opens it at most; 0 ends all links and allows no new ones.';
