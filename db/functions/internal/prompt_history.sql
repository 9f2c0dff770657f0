-- The history that a turn's prompt is made of: of the branch that ends at p_head_seq the last
-- p_last messages, and of those the newest ones that fit into p_max_bytes. If older messages are
-- left out, the history begins with a user message, because providers refuse a prompt that begins
-- with an answer or a tool's result. The last message is always included, whatever its size.

create or replace function pgthreads.prompt_history(
  p_owner_user_id text,
  p_state_key text,
  p_head_seq int,
  p_last int,
  p_max_bytes bigint
)
returns json
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_first int[];
  v_last int[];
  v_from int;
  v_to int;
  v_user int;
  v_is_cut boolean;
begin
  v_from := greatest(p_head_seq - p_last + 1, 1);
  select s.seq, p_head_seq into v_from, v_to
  from pgthreads.prompt_start(
    p_owner_user_id, p_state_key, v_from, p_head_seq, p_max_bytes) as s;
  if not found then
    select array_agg(r.first_seq), array_agg(r.last_seq), min(r.first_seq)
    into v_first, v_last, v_from
    from pgthreads.window_ranges(
      p_owner_user_id, p_state_key, p_head_seq, p_last, null, p_max_bytes) as r;
    select coalesce(m.parent_seq, m.seq - 1) > 0 into v_is_cut
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = p_state_key
      and m.seq between v_from and v_from
    order by m.seq;
    if v_is_cut then
      select m.seq into v_user
      from (
        select r.first_seq, r.last_seq
        from unnest(v_first, v_last) as r (first_seq, last_seq)
        order by r.first_seq
      ) as r
      cross join lateral (
        select m.seq
        from pgthreads.message as m
        where m.owner_user_id = p_owner_user_id
          and m.state_key = p_state_key
          and m.seq between r.first_seq and r.last_seq
          and m.message ->> 'role' = 'user'
        order by m.seq
        limit 1
      ) as m
      limit 1;
    end if;
    v_from := coalesce(v_user, v_from);
    if cardinality(v_first) = 1 then
      v_to := v_last[1];
    end if;
  end if;
  if v_to is not null then
    -- The index has this order, so nothing is sorted.
    return (
      select json_agg(s.message)
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
  return (
    select json_agg(m.message order by m.seq)
    from unnest(v_first, v_last) as r (first_seq, last_seq)
    -- The order keeps this a look at the primary key for each range.
    cross join lateral (
      select m.seq, m.message
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.seq between r.first_seq and r.last_seq
        and m.seq >= v_from
      order by m.seq
      offset 0
    ) as m
  );
end;
$$;

comment on function pgthreads.prompt_history(text, text, int, int, bigint) is
  'The messages that a turn''s prompt is made of: at most p_last, and at most p_max_bytes.';
revoke all on function pgthreads.prompt_history(text, text, int, int, bigint) from public;
