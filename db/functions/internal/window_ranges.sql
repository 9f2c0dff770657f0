-- branch_ranges() with a limit in bytes: the newest messages of a branch that fit into p_max_bytes,
-- and at least one, as ranges of seq, the newest first.

create or replace function pgthreads.window_ranges(
  p_owner_user_id text,
  p_state_key text,
  p_head_seq int,
  p_last int,
  p_before_seq int,
  p_max_bytes bigint
)
returns table (first_seq int, last_seq int)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_left bigint := p_max_bytes;
  v_first int;
  v_any boolean := false;
begin
  for first_seq, last_seq in
    select r.first_seq, r.last_seq
    from pgthreads.branch_ranges(
      p_owner_user_id, p_state_key, p_head_seq, p_last, p_before_seq) as r
  loop
    select f.first_seq, f.bytes_left into v_first, v_left
    from pgthreads.fit_range(p_owner_user_id, p_state_key, first_seq, last_seq, v_left) as f;
    exit when v_first is null and v_any;
    v_first := coalesce(v_first, last_seq);
    if v_first > first_seq then
      first_seq := v_first;
      return next;
      return;
    end if;
    v_any := true;
    return next;
  end loop;
end;
$$;

comment on function pgthreads.window_ranges(text, text, int, int, int, bigint) is
  'The ranges of seq of a branch''s newest messages that fit into p_max_bytes, the newest first.';
revoke all on function pgthreads.window_ranges(text, text, int, int, int, bigint) from public;
