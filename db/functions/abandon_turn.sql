-- Gives up a running turn whose lease has ended, in the state that its server left it in: what the
-- journal holds becomes its answer, with metadata.status "abandoned". Returns how many messages that
-- added to the thread. Does nothing if the turn has ended, or its lease not.
--
-- The answer goes through append_thread, as any other: redacted, within the limits, as a branch if the
-- turn was one. What append_thread refuses for good is left out, so that the thread can go on.
-- Locks: the thread's row, then the turn's.

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
  v_frames text;
  v_message jsonb;
  v_message_id text;
  v_appended int := 0;
begin
  perform
  from pgthreads.thread as t
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key
  for update;
  select n.lease_until into v_lease_until
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

  select string_agg(j.frames, '' order by j.start_offset) into v_frames
  from pgthreads.journal as j
  where j.owner_user_id = p_owner_user_id
    and j.state_key = p_state_key
    and j.turn_id = p_turn_id;
  if v_frames is not null then
    begin
      v_message := pgthreads.assemble_message(v_frames);
      if v_message is not null then
        -- For as long as this transaction; below it is again what it was.
        update pgthreads.turn as n
        set lease_until = 'infinity'
        where n.owner_user_id = p_owner_user_id
          and n.state_key = p_state_key
          and n.turn_id = p_turn_id;
        v_message := jsonb_build_object('id', p_turn_id) || v_message;
        select a.appended into strict v_appended
        from pgthreads.append_thread(
          p_owner_user_id, p_state_key, jsonb_build_array(v_message), null, p_turn_id) as a;
        v_message_id := v_message ->> 'id';
      end if;
    exception
      when sqlstate 'THMSG' or sqlstate 'THMAX' or sqlstate 'THDUP' or sqlstate 'THDEL'
        or data_exception or program_limit_exceeded
      then
        raise warning 'what there was of the answer of turn % is not stored: %', p_turn_id, sqlerrm;
    end;
    delete from pgthreads.journal as j
    where j.owner_user_id = p_owner_user_id
      and j.state_key = p_state_key
      and j.turn_id = p_turn_id;
  end if;
  update pgthreads.turn as n
  set status = 'abandoned',
    lease_until = v_lease_until,
    assistant_message_id = v_message_id,
    finished_at = clock_timestamp()
  where n.owner_user_id = p_owner_user_id
    and n.state_key = p_state_key
    and n.turn_id = p_turn_id;
  return v_appended;
end;
$$;

comment on function pgthreads.abandon_turn(text, text, text) is
  'Gives up a turn whose lease has ended, and appends what its journal holds; returns how many messages.';
revoke all on function pgthreads.abandon_turn(text, text, text) from public;
