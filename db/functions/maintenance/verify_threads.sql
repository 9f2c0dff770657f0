-- Verifies a page of threads as verify_thread does, of all owners or of one, in the order of their
-- keys, including deleted threads. The next page begins after the last row's owner and key; an
-- empty page is the end. A page has at most p_batch threads, and ends early after 20,000 messages,
-- so that no statement keeps its snapshot for long. Takes no lock.

create or replace function pgthreads.verify_threads(
  p_owner_user_id text default null,
  p_batch int default 100,
  p_after_owner_user_id text default null,
  p_after_state_key text default null
)
returns table (
  owner_user_id text,
  state_key text,
  ok boolean,
  checked int,
  bad_seq int,
  detail text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set role = 'pgthreads_maintenance'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  -- The empty string comes before every owner and key, which have at least one character.
  v_owner text collate "C" := coalesce(p_after_owner_user_id, '');
  v_key text collate "C" := coalesce(p_after_state_key, '');
begin
  perform pgthreads.require_batch(p_batch);
  return query
    with page as materialized (
      (
        select t.owner_user_id, t.state_key, t.message_count
        from pgthreads.thread as t
        where p_owner_user_id is not null
          and t.owner_user_id = p_owner_user_id
          and t.state_key > v_key
        order by t.state_key
        limit p_batch
      )
      union all
      (
        select t.owner_user_id, t.state_key, t.message_count
        from pgthreads.thread as t
        where p_owner_user_id is null
          and (t.owner_user_id, t.state_key) > (v_owner, v_key)
        order by t.owner_user_id, t.state_key
        limit p_batch
      )
    ),
    sized as (
      select p.*,
        sum(p.message_count) over (order by p.owner_user_id, p.state_key) - p.message_count
          as before
      from page as p
    )
    select s.owner_user_id, s.state_key, v.*
    from sized as s
    cross join lateral pgthreads.verify_thread(s.owner_user_id, s.state_key) as v
    where s.before < 20000
    order by s.owner_user_id, s.state_key;
end;
$$;

comment on function pgthreads.verify_threads(text, int, text, text) is
  'Verifies a page of threads; the next page begins after its last row.';
revoke all on function pgthreads.verify_threads(text, int, text, text) from public;
grant execute on function pgthreads.verify_threads(text, int, text, text) to pgthreads_maintenance;
