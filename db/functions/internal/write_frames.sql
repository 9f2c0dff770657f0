-- Adds frames to the journal of a turn, from byte p_offset of its stream on, and returns where the
-- journal then ends. Frames that the journal has already are left out. If there is a gap before
-- p_offset, nothing is written. write_journal and complete_turn call this, and know that the turn
-- runs.

create or replace function pgthreads.write_frames(
  p_owner_user_id text,
  p_state_key text,
  p_turn_id text,
  p_offset int,
  p_frames text
)
returns int
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_end int;
  v_known int;
begin
  loop
    select j.end_offset into v_end
    from pgthreads.journal as j
    where j.owner_user_id = p_owner_user_id
      and j.state_key = p_state_key
      and j.turn_id = p_turn_id
    order by j.start_offset desc
    limit 1;
    v_end := coalesce(v_end, 0);
    v_known := v_end - p_offset;
    exit when p_offset < 0 or v_known < 0 or v_known >= octet_length(p_frames)
      or p_offset is null or p_frames is null;
    insert into pgthreads.journal as j
      (owner_user_id, state_key, turn_id, start_offset, end_offset, frames)
    values (
      p_owner_user_id, p_state_key, p_turn_id, v_end, p_offset + octet_length(p_frames),
      case
        when v_known = 0 then p_frames
        else convert_from(substr(convert_to(p_frames, 'UTF8'), v_known + 1), 'UTF8')
      end
    )
    -- There is a conflict if the call was repeated while its first try still runs.
    on conflict (owner_user_id, state_key, turn_id, start_offset) do nothing
    returning j.end_offset into v_end;
    exit when found;
  end loop;
  return v_end;
end;
$$;

comment on function pgthreads.write_frames(text, text, text, int, text) is
  'Adds frames to the journal of a running turn; returns where the journal ends.';
revoke all on function pgthreads.write_frames(text, text, text, int, text) from public;
