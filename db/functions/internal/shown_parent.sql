-- Where a message goes if the page says what it continues: null for the end of the newest branch,
-- otherwise the id of the message that it continues, '' for none. p_parent_id is null if the page
-- does not say, and an id that is not stored says nothing. If p_on_stale is 'append', a message
-- always goes to the end.
--
-- A page that has edited a message goes on to use the old id, and means the edited message, with
-- which the newest branch ends. The caller holds the lock of the thread's row. Raises THSTL for
-- 'reject'.

create or replace function pgthreads.shown_parent(
  p_owner_user_id text,
  p_state_key text,
  p_message_id text,
  p_parent_id text,
  p_on_stale text,
  p_count int
)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
  v_seq int;
  v_role text;
  v_before int;
  v_id text := p_parent_id;
  v_root text;
begin
  if p_parent_id is null or coalesce(p_on_stale, 'append') = 'append' then
    return null;
  end if;
  if p_parent_id = '' then
    v_seq := 0;
  else
    select m.seq into v_seq
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = p_state_key
      and m.message_id = p_parent_id;
  end if;
  if coalesce(v_seq, p_count) = p_count then
    return null;
  end if;
  -- A message that is stored already stays where it is.
  if exists (
    select
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = p_state_key
      and m.message_id = p_message_id
  ) then
    return null;
  end if;
  select m.message ->> 'role', coalesce(m.parent_seq, m.seq - 1) into v_role, v_before
  from pgthreads.message as m
  where m.owner_user_id = p_owner_user_id
    and m.state_key = p_state_key
    and m.seq between v_seq and v_seq
  order by m.seq;
  if v_role = 'user' then
    v_root := left(regexp_replace(p_parent_id, '~[0-9a-f]{16}([.][0-9]+)?$', ''), 200);
    select m.seq, m.message_id into v_seq, v_id
    from pgthreads.question_of(p_owner_user_id, p_state_key, p_count) as q
    cross join lateral (
      select m.seq, m.message_id, m.parent_seq
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.seq between q.question_seq and q.question_seq
      order by m.seq
      limit 1
    ) as m
    where coalesce(m.parent_seq, m.seq - 1) = v_before
      and (m.message_id = v_root or starts_with(m.message_id, v_root || '~'));
    if v_seq = p_count then
      return null;
    end if;
    v_id := coalesce(v_id, p_parent_id);
  end if;
  if p_on_stale = 'reject' then
    raise exception 'the thread has gone on since this page was loaded' using
      errcode = 'THSTL',
      detail = format('The message continues %s of thread %s, which is not its last one.',
        case when p_parent_id = '' then 'the beginning' else quote_literal(left(v_id, 256)) end,
        p_state_key),
      hint = 'Load the thread again, or set on_stale: append puts the message at the end, branch'
        ' where it belongs.';
  end if;
  return v_id;
end;
$$;

comment on function pgthreads.shown_parent(text, text, text, text, text, int) is
  'The id of the message that a page continues; null for the last one of the newest branch.';
revoke all on function pgthreads.shown_parent(text, text, text, text, text, int) from public;
