-- What changed_threads() finds changes by. Appends are found by recent_at, which is indexed already.
-- Whatever else changes a thread also sets touched_xid, which appends leave alone, so they pay
-- nothing for its index (docs/decisions/live.md).
-- squawk-ignore-file require-concurrent-index-creation

set local lock_timeout = '10s';
set local statement_timeout = '10min';

alter table pgthreads.thread add column touched_xid xid8;

comment on column pgthreads.thread.touched_xid is
  'The transaction that last changed the thread, or a turn of it, without an append; null if none.';

create index thread_touched on pgthreads.thread (owner_user_id, touched_xid)
  where touched_xid is not null;
