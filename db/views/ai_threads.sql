-- The read contract: one row for each thread, with the messages of its newest branch as one
-- UIMessage[], and the open answer as the last one. The view has the rights and policies of whoever
-- reads it, so it calls no function that runs with other rights.

create or replace view pgthreads.ai_threads
with (security_invoker = true)
as
select
  t.id,
  t.owner_user_id,
  t.state_key,
  (
    with recursive branch (first_seq, last_seq, parent_seq) as (
      select coalesce(b.seq, 1), h.seq, coalesce(b.parent_seq, 0)
      from (
        values (coalesce(
          (
            select o.user_seq
            from pgthreads.open_answer as o
            where o.owner_user_id = t.owner_user_id
              and o.state_key = t.state_key
              and t.open_since is not null
          ),
          t.message_count))
      ) as h (seq)
      left join lateral (
        select f.seq, f.parent_seq
        from pgthreads.message as f
        where f.owner_user_id = t.owner_user_id
          and f.state_key = t.state_key
          and f.parent_seq is not null
          and f.seq <= h.seq
        order by f.seq desc
        limit 1
      ) as b on true
      union all
      select coalesce(b.seq, 1), r.parent_seq, coalesce(b.parent_seq, 0)
      from branch as r
      left join lateral (
        select f.seq, f.parent_seq
        from pgthreads.message as f
        where f.owner_user_id = t.owner_user_id
          and f.state_key = t.state_key
          and f.parent_seq is not null
          and f.seq <= r.parent_seq
        order by f.seq desc
        limit 1
      ) as b on true
      where r.parent_seq > 0
    )
    -- PostgreSQL hashes the branch's numbers, so this is one scan of the thread. A join to the
    -- ranges of many branches takes quadratic time if the planner takes threads to be short, and
    -- "is true" keeps it from making one.
    select coalesce(to_jsonb(array_agg(m.message::jsonb order by m.seq)), '[]'::jsonb)
    from pgthreads.message as m
    where m.owner_user_id = t.owner_user_id
      and m.state_key = t.state_key
      and (m.seq in (
        select generate_series(r.first_seq, r.last_seq)
        from branch as r
      )) is true
  ) || coalesce(
    (
      select jsonb_build_array(o.message::jsonb)
      from pgthreads.open_answer as o
      where o.owner_user_id = t.owner_user_id
        and o.state_key = t.state_key
        and t.open_since is not null
    ),
    '[]') as messages,
  t.metadata,
  t.created_at,
  t.updated_at,
  t.deleted_at
from pgthreads.thread as t;

comment on view pgthreads.ai_threads is
  'Threads with their UIMessage[]: the read contract. The reader''s policies decide what it shows.';
revoke all on pgthreads.ai_threads from public, pgthreads_server;
grant select on pgthreads.ai_threads to pgthreads_server;
