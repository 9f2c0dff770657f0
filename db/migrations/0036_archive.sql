-- Archived threads: kept and readable, but out of the list. The functions that say so get a column or
-- a parameter, so they are dropped here and come again in the same transaction. The index is empty at
-- first; it cannot be built concurrently, because an installation is one transaction.
-- squawk-ignore-file ban-drop-function, require-concurrent-index-creation

set local lock_timeout = '10s';
set local statement_timeout = '10min';

alter table pgthreads.thread add column archived_at timestamptz;

comment on column pgthreads.thread.archived_at is
  'Since when it is left out of the list; null if it is listed.';

-- Holds archived threads alone, so it costs appends to others nothing.
create index thread_archived on pgthreads.thread (owner_user_id, recent_at desc)
  where deleted_at is null and archived_at is not null;

drop function if exists pgthreads.list_threads(text, int, text);
drop function if exists pgthreads.update_thread(text, text, text, jsonb);
