-- The list's index follows a thread's last append by up to a minute, so that most appends change no
-- indexed column: their new version of the header stays on its page, and no index grows
-- (docs/decisions/recency.md).
-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion
-- squawk-ignore-file adding-not-nullable-field

set local lock_timeout = '10s';
set local statement_timeout = '10min';

alter table pgthreads.thread add column recent_at timestamptz;
alter table pgthreads.thread no force row level security;
update pgthreads.thread set recent_at = updated_at;
alter table pgthreads.thread force row level security;
alter table pgthreads.thread alter column recent_at set default clock_timestamp();
alter table pgthreads.thread alter column recent_at set not null;

comment on column pgthreads.thread.recent_at is
  'updated_at, or up to a minute before it: what list_threads looks up.';

drop index pgthreads.thread_recency;
create index thread_recency on pgthreads.thread (owner_user_id, recent_at desc)
  where deleted_at is null;
