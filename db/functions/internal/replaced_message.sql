-- What it means that a turn replaces a stored message. There is one row if there is something to
-- replace. Either it has user_seq and user_id, the stored user message that is to be answered
-- again; or it has sibling_of and parent_id, the user message that gets a sibling and the message
-- that both continue ('' for none). There is no row if the message is unknown, or if there is no
-- answer yet. Locks: the thread's row. Raises THDEL.

create or replace function pgthreads.replaced_message(
  p_owner_user_id text,
  p_state_key text,
  p_replaces text,
  p_regenerate boolean
)
returns table (
  message_count int,
  user_seq int,
  user_id text,
  sibling_of text,
  parent_id text
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
-- Messages are looked up by a range and an order, for the reason that fit_range() gives.
declare
  v_count int;
  v_role text;
  v_seq int;
  v_id text;
  v_parent int;
begin
  if p_state_key is null then
    return;
  end if;
  perform pgthreads.require_thread(p_owner_user_id, p_state_key);
  select t.message_count into v_count
  from pgthreads.thread as t
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key;
  if p_replaces is null then
    v_seq := v_count;
  else
    select m.seq into v_seq
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = p_state_key
      and m.message_id = p_replaces;
  end if;
  select m.message ->> 'role', m.message_id, coalesce(m.parent_seq, m.seq - 1)
  into v_role, v_id, v_parent
  from pgthreads.message as m
  where m.owner_user_id = p_owner_user_id
    and m.state_key = p_state_key
    and m.seq between v_seq and v_seq
  order by m.seq;
  if v_role = 'user' and p_regenerate then
    if p_replaces is not null then
      return query select v_count, v_seq, v_id, null::text, null::text;
    end if;
  elsif v_role = 'user' then
    return query select v_count, null::int, null::text, v_id, coalesce(
      (
        select m.message_id
        from pgthreads.message as m
        where m.owner_user_id = p_owner_user_id
          and m.state_key = p_state_key
          and m.seq between v_parent and v_parent
        order by m.seq
      ), '');
  elsif v_role = 'assistant' then
    return query
      select v_count, m.seq, m.message_id, null::text, null::text
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.seq between v_parent and v_parent
        and m.message ->> 'role' = 'user'
      order by m.seq;
  end if;
end;
$$;

comment on function pgthreads.replaced_message(text, text, text, boolean) is
  'Finds what a turn that replaces a message answers again, or which message gets a sibling.';
revoke all on function pgthreads.replaced_message(text, text, text, boolean) from public;
