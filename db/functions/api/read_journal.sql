-- What a turn has sent, from byte p_offset of its stream on, whichever worker runs it. This is how
-- one worker follows a turn of another. Without a turn id it is the thread's running turn, and
-- there is no row if none runs. A call returns about 1 MiB, and whoever got frames asks again from
-- end_offset on. A turn that has ended is returned with the frames that are left; when those are
-- read, no more come.
--
-- The function is stable, so the turn and its frames come from one snapshot: whoever reads that the
-- turn has ended also reads all that its last transaction wrote. Takes no lock.

create or replace function pgthreads.read_journal(
  p_owner_user_id text,
  p_state_key text,
  p_turn_id text default null,
  p_offset int default 0
)
returns table (
  turn_id text,
  status text,
  error_code text,
  end_offset int,
  frames text,
  answer json
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
  v_turn pgthreads.turn;
  v_window constant int := 1048576;
  v_status text;
  v_start int;
  v_end int;
  v_frames text;
  v_answer json;
begin
  if not pgthreads.is_named_tenant(p_owner_user_id) then
    perform pgthreads.require_tenant(p_owner_user_id);
  end if;
  perform pgthreads.require_state_key(p_state_key);
  if p_turn_id is null then
    select n.* into v_turn
    from pgthreads.turn as n
    where n.owner_user_id = p_owner_user_id
      and n.state_key = p_state_key
      and n.status = 'running'
      and n.lease_until > clock_timestamp();
  else
    select n.* into v_turn
    from pgthreads.turn as n
    where n.owner_user_id = p_owner_user_id
      and n.state_key = p_state_key
      and n.turn_id = p_turn_id;
  end if;
  if not found then
    return;
  end if;
  v_status := case
    when v_turn.status = 'running' and v_turn.lease_until <= clock_timestamp() then 'abandoned'
    else v_turn.status
  end;
  -- On a standby there are turns, but unlogged tables cannot be read.
  if not pg_is_in_recovery() then
    -- Begin with the row that holds byte p_offset, and cut it: after a crash of PostgreSQL the
    -- worker writes the journal again, and its rows begin elsewhere.
    select j.start_offset into v_start
    from pgthreads.journal as j
    where j.owner_user_id = p_owner_user_id
      and j.state_key = p_state_key
      and j.turn_id = v_turn.turn_id
      and j.start_offset <= p_offset
    order by j.start_offset desc
    limit 1;
    select max(j.end_offset), string_agg(j.frames, '' order by j.start_offset)
    into v_end, v_frames
    from pgthreads.journal as j
    where j.owner_user_id = p_owner_user_id
      and j.state_key = p_state_key
      and j.turn_id = v_turn.turn_id
      and j.start_offset >= v_start
      and j.start_offset < p_offset + v_window;
    if v_end <= p_offset then
      v_end := null;
      v_frames := null;
    elsif v_start < p_offset then
      v_frames := convert_from(
        substr(convert_to(v_frames, 'UTF8'), p_offset - v_start + 1), 'UTF8');
    end if;
  end if;
  if v_status <> 'running' then
    select m.message into v_answer
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = p_state_key
      and m.message_id = v_turn.assistant_message_id
      and exists (
        select
        from pgthreads.thread as t
        where t.owner_user_id = p_owner_user_id
          and t.state_key = p_state_key
          and t.deleted_at is null
      );
    if not found and v_status = 'waiting' then
      select o.message into v_answer
      from pgthreads.open_answer as o
      where o.owner_user_id = p_owner_user_id
        and o.state_key = p_state_key
        and o.message_id = v_turn.assistant_message_id;
    end if;
  end if;
  return query select
    v_turn.turn_id, v_status, v_turn.error_code, coalesce(v_end, p_offset), v_frames, v_answer;
end;
$$;

comment on function pgthreads.read_journal(text, text, text, int) is
  'What a turn has sent from an offset on, how it stands, and its stored answer once it has ended.';
revoke all on function pgthreads.read_journal(text, text, text, int) from public;
grant execute on function pgthreads.read_journal(text, text, text, int) to pgthreads_server;
