-- Whether a message has to wait for its thread; begin_turn asks this unless p_busy is 'reject'.
-- There is one row as long as the message has to wait. It then holds a ticket, with 'interrupt' the
-- running turn was asked to stop, and the caller comes back with the same message. There is no row
-- if the message's turn may begin, if begin_turn will find that the message was answered or that
-- its turn runs, or if begin_turn will refuse it.
--
-- The messages of a thread are served in the order of their tickets. A message that does not come
-- back within v_patience is passed over, so that a dead worker blocks nobody. A message that is
-- sent again keeps its ticket, and never has two. Locks: the thread's row, then the running turn's;
-- none as long as all it has to say is that the message still waits.

create or replace function pgthreads.wait_for_turn(
  p_owner_user_id text,
  p_state_key text,
  p_message_id text,
  p_anew boolean,
  p_busy text
)
returns table (turn_id text, message_count int, lease_until timestamptz)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_patience constant interval := interval '5 seconds';
  v_now timestamptz;
  v_count int;
  v_deleted_at timestamptz;
  v_turn pgthreads.turn;
  v_seq int;
  v_mine pgthreads.queued_turn;
  v_ahead bigint;
  v_waits boolean;
  v_max_queued int;
begin
  if p_busy is null or p_busy not in ('reject', 'interrupt', 'enqueue') then
    raise exception 'not a value of p_busy' using
      errcode = 'invalid_parameter_value',
      detail = format('p_busy is %s.', coalesce(quote_literal(left(p_busy, 80)), 'null')),
      hint = 'Pass reject, interrupt or enqueue.';
  end if;
  if p_state_key is null then
    return;
  end if;
  perform pgthreads.require_state_key(p_state_key);

  -- The first look takes no lock, so that whoever asks again and again writes nothing.
  for v_look in 1..2 loop
    if v_look = 2 then
      loop
        perform
        from pgthreads.thread as t
        where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key
        for update;
        exit when found;
        insert into pgthreads.thread (owner_user_id, state_key)
        values (p_owner_user_id, p_state_key)
        on conflict (owner_user_id, state_key) do nothing;
      end loop;
    end if;
    v_now := clock_timestamp();
    select t.message_count, t.deleted_at into v_count, v_deleted_at
    from pgthreads.thread as t
    where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key;
    select n.* into v_turn
    from pgthreads.turn as n
    where n.owner_user_id = p_owner_user_id
      and n.state_key = p_state_key
      and n.status = 'running'
      and n.lease_until > v_now;
    select m.seq into v_seq
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = p_state_key
      and m.message_id = p_message_id;
    select q.* into v_mine
    from pgthreads.queued_turn as q
    where q.owner_user_id = p_owner_user_id
      and q.state_key = p_state_key
      and q.message_id = p_message_id;
    select count(*) into strict v_ahead
    from pgthreads.queued_turn as q
    where q.owner_user_id = p_owner_user_id
      and q.state_key = p_state_key
      and q.message_id <> p_message_id
      and q.expires_at > v_now
      and (v_mine.ticket is null or q.ticket < v_mine.ticket);
    v_waits := case
      when v_deleted_at is not null or v_turn.user_seq = v_seq then false
      when v_seq < v_count and not p_anew then false
      else v_turn.turn_id is not null or v_ahead > 0
    end;
    if v_look = 1 and v_waits
      and v_mine.expires_at - v_now > v_patience * 0.8
      and (p_busy <> 'interrupt' or v_turn.turn_id is null or v_turn.stop_requested_at is not null)
    then
      return query select v_turn.turn_id, v_count, v_turn.lease_until;
      return;
    end if;
  end loop;

  delete from pgthreads.queued_turn as q
  where q.owner_user_id = p_owner_user_id
    and q.state_key = p_state_key
    and case when q.message_id = p_message_id then not v_waits else q.expires_at <= v_now end;
  if not v_waits then
    return;
  end if;
  if v_mine.ticket is null then
    select c.max_queued into strict v_max_queued from pgthreads.config as c;
    if v_ahead >= v_max_queued then
      raise exception 'a turn is running, and too many messages wait already' using
        errcode = 'THTRN',
        detail = format('%s messages wait for thread %s; the limit is %s.', v_ahead, p_state_key,
          v_max_queued),
        hint = 'Wait until one of them is answered. The limit is config.max_queued.';
    end if;
    perform pgthreads.require_queue_quota(p_owner_user_id);
  end if;
  insert into pgthreads.queued_turn as q
    (owner_user_id, state_key, message_id, ticket, expires_at)
  select p_owner_user_id, p_state_key, p_message_id, coalesce(max(o.ticket), 0) + 1,
    v_now + v_patience
  from pgthreads.queued_turn as o
  where o.owner_user_id = p_owner_user_id and o.state_key = p_state_key
  on conflict (owner_user_id, state_key, message_id) do update set expires_at = excluded.expires_at;
  if p_busy = 'interrupt' then
    update pgthreads.turn as n
    set stop_requested_at = coalesce(n.stop_requested_at, v_now)
    where n.owner_user_id = p_owner_user_id
      and n.state_key = p_state_key
      and n.turn_id = v_turn.turn_id
      and n.status = 'running';
  end if;
  return query select v_turn.turn_id, v_count, v_turn.lease_until;
end;
$$;

comment on function pgthreads.wait_for_turn(text, text, text, boolean, text) is
  'One row while a message has to wait for its thread''s running turn or for earlier messages.';
revoke all on function pgthreads.wait_for_turn(text, text, text, boolean, text) from public;
