-- A thread's messages from its beginning on, page by page, for exports. The first call returns the
-- first messages of the newest branch, or of the one that ends at p_leaf_id. Each further call gets
-- the seq of the last row and its head_seq, so that all pages are of one branch, whatever is
-- appended meanwhile. No rows when the branch has ended, or if there is no such thread. An answer
-- that waits is the last message, with the seq that it will have.
--
-- BOUNDED_WORK: a page has up to 500 messages, which fit into config.max_page_bytes, and at least
-- one.

create or replace function pgthreads.export_thread(
  p_owner_user_id text,
  p_state_key text,
  p_after_seq int default 0,
  p_head_seq int default null,
  p_leaf_id text default null
)
returns table (seq int, message json, created_at timestamptz, head_seq int)
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
  v_head int;
  v_count int;
  v_open_seq int;
  v_open_user_seq int;
  v_open_message json;
  v_first int[];
  v_last int[];
  v_from int;
  v_to int;
  v_left bigint;
  v_rows int := 500;
begin
  perform pgthreads.require_read(p_owner_user_id, p_state_key, null, null);
  if p_after_seq is null or p_after_seq < 0 or p_head_seq < 1 then
    raise exception 'not a page of an export' using
      errcode = 'invalid_parameter_value',
      detail = format('p_after_seq is %s, p_head_seq %s.', coalesce(p_after_seq::text, 'null'),
        coalesce(p_head_seq::text, 'null')),
      hint = 'Pass the seq and the head_seq of the last row, or neither for the first page.';
  end if;
  select r.head_seq, case when r.is_open then r.message_count end, c.max_page_bytes::bigint
  into v_head, v_count, v_left
  from pgthreads.read_head(p_owner_user_id, p_state_key, p_leaf_id) as r
  cross join pgthreads.config as c;
  if not found then
    return;
  end if;
  if v_count is not null then
    select s.user_seq, s.seq, s.message into v_open_user_seq, v_open_seq, v_open_message
    from pgthreads.shown_answer(p_owner_user_id, p_state_key, v_count, null, p_leaf_id) as s;
    if found then
      v_head := v_open_user_seq;
      p_leaf_id := null;
    end if;
  end if;
  v_head := coalesce(p_head_seq, case
    when p_leaf_id is null then v_head
    else pgthreads.branch_head(p_owner_user_id, p_state_key, p_leaf_id)
  end);
  select array_agg(r.first_seq order by r.first_seq), array_agg(r.last_seq order by r.first_seq)
  into v_first, v_last
  from pgthreads.branch_ranges(p_owner_user_id, p_state_key, v_head) as r
  where r.last_seq > p_after_seq;
  head_seq := v_head;
  for v_index in 1..coalesce(cardinality(v_first), 0) loop
    v_from := greatest(v_first[v_index], p_after_seq + 1);
    v_to := v_last[v_index];
    for seq, message, created_at in
      select m.seq, m.message, m.created_at
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.seq between v_from and v_to
      order by m.seq
      limit v_rows
    loop
      v_left := v_left - octet_length(message::text)::bigint;
      if v_left < bigint '0' and v_rows < 500 then
        return;
      end if;
      v_rows := v_rows - 1;
      return next;
    end loop;
    if v_rows = 0 then
      return;
    end if;
  end loop;
  if v_open_message is not null and v_head = v_open_user_seq and p_after_seq < v_open_seq then
    if v_rows < 500 and v_left < octet_length(v_open_message::text)::bigint then
      return;
    end if;
    seq := v_open_seq;
    message := v_open_message;
    created_at := null;
    return next;
  end if;
end;
$$;

comment on function pgthreads.export_thread(text, text, int, int, text) is
  'A page of the thread''s messages from its beginning on, of one branch whatever is appended.';
revoke all on function pgthreads.export_thread(text, text, int, int, text) from public;
grant execute on function pgthreads.export_thread(text, text, int, int, text) to pgthreads_server;
