-- Threads, messages and bytes by owner, for operators. Reads every message's row of the owners
-- asked for, but not their bodies: bytes are those of the stored messages, after compression.

create or replace view pgthreads.owner_usage
with (security_invoker = true)
as
select
  t.owner_user_id,
  count(*) as threads,
  count(t.deleted_at) as deleted_threads,
  sum(t.message_count) as messages,
  coalesce(
    (
      select sum(pg_column_size(m.message))
      from pgthreads.message as m
      where m.owner_user_id = t.owner_user_id
    ),
    0
  ) as bytes,
  max(t.updated_at) as updated_at
from pgthreads.thread as t
group by t.owner_user_id;

comment on view pgthreads.owner_usage is
  'Threads, messages and stored bytes of each owner; for maintenance.';
revoke all on pgthreads.owner_usage from public, pgthreads_server;
grant select on pgthreads.owner_usage to pgthreads_maintenance;
