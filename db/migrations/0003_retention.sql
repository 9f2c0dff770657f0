-- How long an owner's deleted threads are kept, where that differs from config, and the index by which
-- a purge finds them.

set local lock_timeout = '10s';
set local statement_timeout = '10min';

create table pgthreads.retention (
  owner_user_id text collate "C" not null
    constraint retention_owner_user_id_check check (char_length(owner_user_id) between 1 and 255),
  purge_after interval
    constraint retention_purge_after_check check (purge_after >= '0'),
  reason text,
  constraint retention_pkey primary key (owner_user_id)
);

comment on table pgthreads.retention is
  'Owners whose deleted threads are kept shorter or longer than config.purge_after says.';
comment on column pgthreads.retention.purge_after is
  'In place of config.purge_after; null is a hold: nothing of this owner is purged or erased.';
comment on column pgthreads.retention.reason is 'Why, for people.';

-- Holds deleted threads alone, so it costs appends nothing. It cannot be built concurrently, because a
-- migration is one transaction.
-- squawk-ignore require-concurrent-index-creation
create index thread_deleted on pgthreads.thread (deleted_at) where deleted_at is not null;
