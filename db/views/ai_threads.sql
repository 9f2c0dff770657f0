-- The read contract: a thread a row, its messages as one UIMessage[]. Runs with the rights and under
-- the policies of whoever reads it.

create or replace view pgthreads.ai_threads
with (security_invoker = true)
as
select
  t.id,
  t.owner_user_id,
  t.state_key,
  (
    select coalesce(jsonb_agg(m.message::jsonb order by m.seq), '[]'::jsonb)
    from pgthreads.message as m
    where m.owner_user_id = t.owner_user_id and m.state_key = t.state_key
  ) as messages,
  t.metadata,
  t.created_at,
  t.updated_at,
  t.deleted_at
from pgthreads.thread as t;

comment on view pgthreads.ai_threads is
  'Threads with their UIMessage[]: the read contract. Shows what the reader''s policies let through.';
revoke all on pgthreads.ai_threads from public, pgthreads_server;
grant select on pgthreads.ai_threads to pgthreads_server;
