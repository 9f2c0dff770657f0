-- Gives up a running turn whose lease has ended, in the state in which its worker left it: the
-- journal becomes its answer, with metadata.status "abandoned". Returns how many messages that adds
-- to the thread. Does nothing if the turn has ended, or if its lease has not.
--
-- The answer goes through append_thread like any other: it is redacted, kept within the limits, and
-- begins a branch if the turn does. If the turn continues an open answer, the answer is made of
-- both: the open answer, and what the journal holds of its continuation. NEVER_STUCK and
-- BOUNDED_WORK: whatever the journal holds, the turn ends, so that the thread can go on. The turn's
-- error_code says what became of the answer:
--   null                the answer is in the thread, or there was none
--   partial_too_large   the answer has only the first config.max_partial_bytes of the journal
--   partial_refused     append_thread refused the answer; if possible it is kept as a late answer
--   partial_unreadable  no message could be made of the journal
--   partial_too_slow    that could not be done within the time of the call
-- A failure that passes by itself, such as a deadlock or a full disk, is raised, and the next call
-- tries again. Locks: the thread's row, then the turn's.

create or replace function pgthreads.abandon_turn(
  p_owner_user_id text,
  p_state_key text,
  p_turn_id text
)
returns int
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_lease_until timestamptz;
  v_continues text;
  v_open jsonb;
  v_max_bytes int;
  v_end int;
  v_frames text;
  v_message jsonb;
  v_message_id text;
  v_appended int := 0;
  v_error_code text;
  v_began timestamptz;
begin
  perform
  from pgthreads.thread as t
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key
  for update;
  select n.lease_until, n.continues into v_lease_until, v_continues
  from pgthreads.turn as n
  where n.owner_user_id = p_owner_user_id
    and n.state_key = p_state_key
    and n.turn_id = p_turn_id
    and n.status = 'running'
    and n.lease_until <= clock_timestamp()
  for update;
  if not found then
    return 0;
  end if;

  v_began := clock_timestamp();
  begin
    select c.max_partial_bytes into strict v_max_bytes from pgthreads.config as c;
    select left(string_agg(j.frames, '' order by j.start_offset), v_max_bytes), max(j.end_offset)
    into v_frames, v_end
    from pgthreads.journal as j
    where j.owner_user_id = p_owner_user_id
      and j.state_key = p_state_key
      and j.turn_id = p_turn_id
      and j.start_offset < v_max_bytes;
    if v_end >= v_max_bytes then
      v_error_code := 'partial_too_large';
    end if;
    if v_continues is not null then
      select o.message::jsonb into v_open
      from pgthreads.open_answer as o
      where o.owner_user_id = p_owner_user_id and o.state_key = p_state_key;
    end if;
    v_message := case
      when v_open is not null then pgthreads.continued_answer(v_open, v_frames)
      else jsonb_build_object('id', p_turn_id) || pgthreads.assemble_message(v_frames)
    end;
    if v_message is not null then
      begin
        -- This holds until the update below, in the same transaction, sets what it was.
        update pgthreads.turn as n
        set lease_until = 'infinity'
        where n.owner_user_id = p_owner_user_id
          and n.state_key = p_state_key
          and n.turn_id = p_turn_id;
        select a.appended into strict v_appended
        from pgthreads.append_thread(
          p_owner_user_id, p_state_key, jsonb_build_array(v_message), null, p_turn_id) as a;
        v_message_id := v_message ->> 'id';
      exception
        when transaction_rollback or lock_not_available or disk_full or read_only_sql_transaction
        then
          raise;
        when others then
          v_error_code := 'partial_refused';
          raise warning 'the partial answer of turn % is not appended: % %',
            p_turn_id, sqlstate, sqlerrm;
          perform pgthreads.keep_answer(
            p_owner_user_id, p_state_key, p_turn_id, v_message, v_error_code, sqlstate);
      end;
    end if;
  exception
    when transaction_rollback or lock_not_available or disk_full or read_only_sql_transaction then
      raise;
    when query_canceled then
      -- If most of the time was spent elsewhere, or somebody cancelled at once, the next call may
      -- succeed.
      if clock_timestamp() - v_began < interval '1 second' then
        raise;
      end if;
      v_error_code := 'partial_too_slow';
      v_appended := 0;
      v_message_id := null;
    when others then
      v_error_code := coalesce(v_error_code, 'partial_unreadable');
      raise warning 'the partial answer of turn % is lost: % %',
        p_turn_id, sqlstate, sqlerrm;
  end;
  -- Only if it could not be appended with its continuation.
  if v_continues is not null
    and pgthreads.close_answer(p_owner_user_id, p_state_key, 'abandoned') > 0
  then
    v_appended := 1;
    v_message_id := v_continues;
  end if;
  if v_appended = 0 then
    perform pgthreads.touch_thread(p_owner_user_id, p_state_key);
  end if;
  delete from pgthreads.journal as j
  where j.owner_user_id = p_owner_user_id
    and j.state_key = p_state_key
    and j.turn_id = p_turn_id;
  update pgthreads.turn as n
  set status = 'abandoned',
    lease_until = v_lease_until,
    assistant_message_id = v_message_id,
    error_code = v_error_code,
    finished_at = clock_timestamp()
  where n.owner_user_id = p_owner_user_id
    and n.state_key = p_state_key
    and n.turn_id = p_turn_id;
  return v_appended;
end;
$$;

comment on function pgthreads.abandon_turn(text, text, text) is
  'Ends a turn whose lease has ended and appends its partial answer; returns how many messages.';
revoke all on function pgthreads.abandon_turn(text, text, text) from public;
