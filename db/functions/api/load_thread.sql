-- A thread's messages as one json value, the oldest first. Branch, window and open answer
-- are those of read_messages(). json_agg copies the stored bytes and does not parse them.

create or replace function pgthreads.load_thread(
  p_owner_user_id text,
  p_state_key text,
  p_last int default null,
  p_before_seq int default null,
  p_leaf_id text default null
)
returns json
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
  v_first int[];
  v_last int[];
  -- These are variables because row level security lets no expression that can fail be an index
  -- condition.
  v_from int;
  v_to int;
  v_linear boolean;
  v_is_open boolean;
begin
  if not pgthreads.is_plain_read(p_owner_user_id, p_state_key, p_last, p_before_seq) then
    perform pgthreads.require_read(p_owner_user_id, p_state_key, p_last, p_before_seq);
  end if;
  select r.head_seq, r.is_linear, r.is_open into v_to, v_linear, v_is_open
  from pgthreads.read_head(p_owner_user_id, p_state_key, p_leaf_id) as r;
  if v_is_open then
    return (
      select coalesce(json_agg(m.message order by m.seq), '[]')
      from pgthreads.read_messages(
        p_owner_user_id, p_state_key, p_last, p_before_seq, p_leaf_id) as m
    );
  end if;
  if v_linear then
    v_to := least(v_to, p_before_seq - 1);
    v_from := greatest(v_to - p_last + 1, 1);
    -- The index has this order, so nothing is sorted.
    return (
      select coalesce(json_agg(s.message), '[]')
      from (
        select m.message
        from pgthreads.message as m
        where m.owner_user_id = p_owner_user_id
          and m.state_key = p_state_key
          and m.seq between v_from and v_to
        order by m.seq
      ) as s
    );
  end if;
  select array_agg(r.first_seq), array_agg(r.last_seq) into v_first, v_last
  from pgthreads.branch_ranges(
    p_owner_user_id, p_state_key,
    case
      when p_leaf_id is null then v_to
      else pgthreads.branch_head(p_owner_user_id, p_state_key, p_leaf_id)
    end,
    p_last, p_before_seq) as r;
  return (
    select coalesce(json_agg(m.message order by m.seq), '[]')
    from unnest(v_first, v_last) as r (first_seq, last_seq)
    -- The order and the offset keep this a look at the primary key for each range, however many
    -- messages are outside of it.
    cross join lateral (
      select m.seq, m.message
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.seq between r.first_seq and r.last_seq
      order by m.seq
      offset 0
    ) as m
  );
end;
$$;

comment on function pgthreads.load_thread(text, text, int, int, text) is
  'The thread''s UIMessage[] as one json value, [] if it has none; a window of it on request.';
revoke all on function pgthreads.load_thread(text, text, int, int, text) from public;
grant execute on function pgthreads.load_thread(text, text, int, int, text) to pgthreads_server;
