-- A thread with its header: all that a page needs to show it, in one round trip. No row if the
-- thread does not exist or is deleted. If p_known_digest is still the thread's digest, messages and
-- earlier_seq are null, because the caller has them already.
--
-- An answer that waits is the last message, and the digest then covers it as well.
--
-- BOUNDED_WORK: messages are the newest ones of the window that fit into config.max_page_bytes, and
-- at least one. earlier_seq is the p_before_seq with which the previous page is read; it is null if
-- this page starts at the beginning of the thread.

create or replace function pgthreads.read_thread(
  p_owner_user_id text,
  p_state_key text,
  p_last int default null,
  p_before_seq int default null,
  p_known_digest text default null,
  p_leaf_id text default null
)
returns table (
  state_key text,
  title text,
  message_count int,
  metadata jsonb,
  created_at timestamptz,
  updated_at timestamptz,
  digest text,
  messages json,
  earlier_seq int
)
language plpgsql
stable
rows 1
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  -- These are variables because row level security lets no expression that can fail be an index
  -- condition.
  v_from int;
  v_to int;
  v_linear boolean;
  v_known boolean;
  v_digest text;
  v_max_bytes int;
  v_count int;
  v_open_seq int;
  v_open_message json;
  v_open_digest bytea;
  v_first int[];
  v_last int[];
begin
  if not pgthreads.is_plain_read(p_owner_user_id, p_state_key, p_last, p_before_seq) then
    perform pgthreads.require_read(p_owner_user_id, p_state_key, p_last, p_before_seq);
  end if;
  select c.max_page_bytes, r.head_seq, r.is_linear, d.digest,
    d.digest is not distinct from p_known_digest, case when r.is_open then r.message_count end
  into v_max_bytes, v_to, v_linear, v_digest, v_known, v_count
  from pgthreads.read_head(p_owner_user_id, p_state_key, p_leaf_id) as r
  cross join pgthreads.config as c
  -- While a running turn hides the thread's last messages, what is shown has a digest of its own,
  -- so that callers do not take it for what they were shown before.
  cross join lateral (
    select encode(case
      when p_leaf_id is not null or r.head_seq = r.message_count then r.head_digest
      else sha256(r.head_digest || convert_to('up to ' || r.head_seq, 'UTF8'))
    end, 'hex') as digest
  ) as d;
  if not found then
    return;
  end if;
  if v_count is not null then
    select s.user_seq, s.seq, s.message, s.digest
    into v_from, v_open_seq, v_open_message, v_open_digest
    from pgthreads.shown_answer(
      p_owner_user_id, p_state_key, v_count, p_before_seq, p_leaf_id) as s;
    if found then
      v_to := v_from;
      p_leaf_id := null;
    end if;
    if v_open_digest is not null then
      v_digest := encode(sha256(convert_to('open ' || v_digest, 'UTF8') || v_open_digest), 'hex');
      v_known := v_digest is not distinct from p_known_digest;
    end if;
    if v_open_message is not null then
      v_linear := false;
      p_last := p_last - 1;
      v_max_bytes := v_max_bytes - octet_length(v_open_message::text);
    end if;
  end if;
  if v_known then
    v_linear := null;
  elsif v_linear then
    v_to := least(v_to, p_before_seq - 1);
    v_from := greatest(v_to - p_last + 1, 1);
    v_from := coalesce((
      select f.first_seq
      from pgthreads.fit_range(p_owner_user_id, p_state_key, v_from, v_to, v_max_bytes) as f
    ), v_to);
  else
    select array_agg(r.first_seq), array_agg(r.last_seq), min(r.first_seq)
    into v_first, v_last, v_from
    from pgthreads.window_ranges(
      p_owner_user_id, p_state_key,
      case
        when p_leaf_id is null then v_to
        else pgthreads.branch_head(p_owner_user_id, p_state_key, p_leaf_id)
      end,
      p_last, p_before_seq, v_max_bytes) as r;
  end if;
  return query
    select t.state_key, t.title, t.message_count, t.metadata, t.created_at, t.updated_at, v_digest,
      case v_linear
        when true then (
          select coalesce(json_agg(s.message), '[]')
          from (
            select m.message
            from pgthreads.message as m
            where m.owner_user_id = p_owner_user_id
              and m.state_key = p_state_key
              and m.seq between v_from and v_to
            order by m.seq
          ) as s
        )
        when false then (
          select coalesce(json_agg(b.message order by b.seq), '[]')
          from (
            select m.seq, m.message
            from unnest(v_first, v_last) as r (first_seq, last_seq)
            -- The order keeps this a look at the primary key for each range.
            cross join lateral (
              select m.seq, m.message
              from pgthreads.message as m
              where m.owner_user_id = p_owner_user_id
                and m.state_key = p_state_key
                and m.seq between r.first_seq and r.last_seq
              order by m.seq
              offset 0
            ) as m
            union all
            select v_open_seq, v_open_message
            where v_open_message is not null
          ) as b
        )
      end,
      case v_linear
        when true then case when v_from > 1 and v_from <= v_to then v_from end
        when false then coalesce((
          select case when coalesce(m.parent_seq, m.seq - 1) > 0 then m.seq end
          from pgthreads.message as m
          where m.owner_user_id = p_owner_user_id
            and m.state_key = p_state_key
            and m.seq between v_from and v_from
          order by m.seq
        ), case when p_last = 0 then v_open_seq end)
      end
    from pgthreads.thread as t
    where t.owner_user_id = p_owner_user_id
      and t.state_key = p_state_key
      and t.deleted_at is null;
end;
$$;

comment on function pgthreads.read_thread(text, text, int, int, text, text) is
  'The thread''s header with its UIMessage[] as one json value; no row if no such thread exists.';
revoke all on function pgthreads.read_thread(text, text, int, int, text, text) from public;
grant execute on function pgthreads.read_thread(text, text, int, int, text, text)
  to pgthreads_server;
