-- Ends a turn with all that belongs to its end, in one transaction: the answer, the last piece of
-- the journal, what was used, and the turn's status. Keeps PERSIST_AFTER_PUMP, and what
-- append_thread and finish_turn keep, because it uses the same functions. p_frames are the frames
-- of the turn's stream from byte p_offset on, as for write_journal. Repeating a call changes
-- nothing.
--
-- A lease that has ended is taken back unless somebody has given the turn up. Whoever gives a turn
-- up locks the thread's row first; so if the turn still runs under that lock, it is still the
-- caller's. The answer matters more than its usage: usage that cannot be stored is left out, and
-- usage_refused has the SQLSTATE that says why.
--
-- Nearly always the turn runs, and nothing was appended since it began. One statement locks both
-- rows and finds that out, and the answer is written at once. In all other cases append_thread,
-- write_journal and finish_turn decide, one after the other. Locks: the thread's row, then the
-- turn's.

create or replace function pgthreads.complete_turn(
  p_owner_user_id text,
  p_state_key text,
  p_turn_id text,
  p_status text,
  p_message jsonb default null,
  p_usage jsonb default null,
  p_error_code text default null,
  p_offset int default null,
  p_frames text default null
)
returns table (
  turn_id text,
  status text,
  assistant_message_id text,
  message_count int,
  appended int,
  usage_refused text
)
language plpgsql
volatile
rows 1
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_ready record;
  v_count int;
  v_digest bytea;
  v_title text;
  v_user_seq int;
  v_continues text;
begin
  -- One expression asks for all that is usually true, as in append_thread; only where it is false,
  -- the following ones look at each thing by itself.
  if (pgthreads.is_named_tenant(p_owner_user_id)
    and p_status in ('completed', 'stopped', 'failed')
    and case
      when p_usage is null then true
      when pgthreads.is_shallow(p_usage) then pgthreads.is_short(p_usage, 65536)
    end) is not true
  then
    perform pgthreads.require_tenant(p_owner_user_id);
    perform pgthreads.require_end_status(p_status);
    begin
      if p_usage is not null then
        perform pgthreads.require_storable(p_usage, 'p_usage', 65536);
      end if;
    exception
      when sqlstate 'THMAX' or sqlstate 'THMSG' then
        p_usage := null;
        usage_refused := sqlstate;
    end;
  end if;

  appended := 0;
  if p_message is not null then
    v_ready := pgthreads.ready_messages(jsonb_build_array(p_message));
    -- Whoever sees the turn also sees the messages that the thread had when it began. So if there
    -- are no others, this statement sees all of them, even if it had to wait for the lock.
    select t.message_count, t.head_digest, t.title, n.user_seq, n.continues
    into v_count, v_digest, v_title, v_user_seq, v_continues
    from pgthreads.thread as t
    join pgthreads.turn as n
      on n.owner_user_id = p_owner_user_id
      and n.state_key = p_state_key
      and n.turn_id = p_turn_id
      and n.status = 'running'
    where t.owner_user_id = p_owner_user_id
      and t.state_key = p_state_key
      and t.deleted_at is null
      and t.message_count = coalesce(n.begun_count, n.user_seq)
      and t.message_count < v_ready.max_messages
      and not exists (
        select
        from pgthreads.message as m
        where m.owner_user_id = p_owner_user_id
          and m.state_key = p_state_key
          and m.message_id = v_ready.ids[1]
      )
    for update of t, n;
    if found then
      if v_continues is not null then
        perform pgthreads.take_open_answer(
          p_owner_user_id, p_state_key, v_continues, v_ready.ids[1]);
      end if;
      message_count := pgthreads.write_messages(
        p_owner_user_id, p_state_key, v_ready.ids, v_ready.bodies, v_count, v_digest,
        nullif(v_user_seq, v_count), v_title, null, clock_timestamp());
      appended := 1;
      if p_frames is not null then
        perform pgthreads.write_frames(
          p_owner_user_id, p_state_key, p_turn_id, p_offset, p_frames);
      end if;
      assistant_message_id := pgthreads.end_turn(
        p_owner_user_id, p_state_key, p_turn_id, p_status, p_usage, p_error_code, message_count,
        case when p_message ->> 'role' = 'assistant' then v_ready.ids[1] end);
      turn_id := p_turn_id;
      status := p_status;
      return next;
      return;
    end if;

    perform
    from pgthreads.thread as t
    where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key
    for update;
    perform pgthreads.extend_turn(p_owner_user_id, p_state_key, p_turn_id);
    select a.message_count, a.appended into strict message_count, appended
    from pgthreads.append_thread(
      p_owner_user_id, p_state_key, jsonb_build_array(p_message), null, p_turn_id) as a;
  end if;
  if p_frames is not null then
    perform pgthreads.write_journal(p_owner_user_id, p_state_key, p_turn_id, p_offset, p_frames);
  end if;
  select f.turn_id, f.status, f.assistant_message_id
  into strict turn_id, status, assistant_message_id
  from pgthreads.finish_turn(
    p_owner_user_id, p_state_key, p_turn_id, p_status, p_usage, p_error_code) as f;
  if p_message is null then
    select t.message_count into message_count
    from pgthreads.thread as t
    where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key;
  end if;
  return next;
end;
$$;

comment on function pgthreads.complete_turn is
  'Ends a turn with its answer, the last piece of its journal and its usage, in one transaction.';
revoke all on function pgthreads.complete_turn from public;
grant execute on function pgthreads.complete_turn to pgthreads_server;
