-- A thread's messages as rows, the oldest first; no rows if the thread does not exist or is
-- deleted. They are those of the newest branch, or of the one that ends at p_leaf_id. p_last and
-- p_before_seq choose a window: the last p_last messages before p_before_seq. Since seq has no
-- gaps, that is one range of the primary key, or a few. An answer that waits is the last message,
-- with the seq that it will have.

create or replace function pgthreads.read_messages(
  p_owner_user_id text,
  p_state_key text,
  p_last int default null,
  p_before_seq int default null,
  p_leaf_id text default null
)
returns table (seq int, message json)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_first int[];
  v_last int[];
  -- These are variables because row level security lets no expression that can fail be an index
  -- condition.
  v_from int;
  v_to int;
  v_linear boolean;
  v_count int;
  v_open_seq int;
  v_open_message json;
begin
  if not pgthreads.is_plain_read(p_owner_user_id, p_state_key, p_last, p_before_seq) then
    perform pgthreads.require_read(p_owner_user_id, p_state_key, p_last, p_before_seq);
  end if;
  select r.head_seq, r.is_linear, case when r.is_open then r.message_count end
  into v_to, v_linear, v_count
  from pgthreads.read_head(p_owner_user_id, p_state_key, p_leaf_id) as r;
  if v_count is not null then
    select s.user_seq, s.seq, s.message into v_from, v_open_seq, v_open_message
    from pgthreads.shown_answer(
      p_owner_user_id, p_state_key, v_count, p_before_seq, p_leaf_id) as s;
    if found then
      v_to := v_from;
      p_leaf_id := null;
      p_last := p_last - (v_open_message is not null)::int;
    end if;
  end if;
  if v_linear then
    v_to := least(v_to, p_before_seq - 1);
    v_from := greatest(v_to - p_last + 1, 1);
    return query
      select m.seq, m.message
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.seq between v_from and v_to
      order by m.seq;
    if v_open_message is not null then
      return query select v_open_seq, v_open_message;
    end if;
    return;
  end if;
  select array_agg(r.first_seq order by r.first_seq), array_agg(r.last_seq order by r.first_seq)
  into v_first, v_last
  from pgthreads.branch_ranges(
    p_owner_user_id, p_state_key,
    case
      when p_leaf_id is null then v_to
      else pgthreads.branch_head(p_owner_user_id, p_state_key, p_leaf_id)
    end,
    p_last, p_before_seq) as r;
  for v_index in 1..coalesce(cardinality(v_first), 0) loop
    v_from := v_first[v_index];
    v_to := v_last[v_index];
    return query
      select m.seq, m.message
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.seq between v_from and v_to
      order by m.seq;
  end loop;
  if v_open_message is not null then
    return query select v_open_seq, v_open_message;
  end if;
end;
$$;

comment on function pgthreads.read_messages(text, text, int, int, text) is
  'The thread''s messages as rows (seq, message), the oldest first; a window of them on request.';
revoke all on function pgthreads.read_messages(text, text, int, int, text) from public;
grant execute on function pgthreads.read_messages(text, text, int, int, text) to pgthreads_server;
