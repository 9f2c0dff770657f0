-- The messages of one branch as ranges of seq, the newest first: from p_head_seq back to the first
-- message. p_last and p_before_seq choose a window of it. A thread without branches is one range,
-- and costs one look into an index that has nothing of it.

create or replace function pgthreads.branch_ranges(
  p_owner_user_id text,
  p_state_key text,
  p_head_seq int,
  p_last int default null,
  p_before_seq int default null
)
returns table (first_seq int, last_seq int)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_variable
declare
  v_head int := p_head_seq;
  v_left int := p_last;
  v_parent int;
begin
  while v_head > 0 and coalesce(v_left > 0, true) loop
    select m.seq, m.parent_seq into first_seq, v_parent
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = p_state_key
      and m.parent_seq is not null
      and m.seq <= v_head
    order by m.seq desc
    limit 1;
    if not found then
      first_seq := 1;
      v_parent := 0;
    end if;
    last_seq := least(v_head, p_before_seq - 1);
    if first_seq <= last_seq then
      first_seq := greatest(first_seq, last_seq - v_left + 1);
      v_left := v_left - (last_seq - first_seq + 1);
      return next;
    end if;
    v_head := v_parent;
  end loop;
end;
$$;

comment on function pgthreads.branch_ranges(text, text, int, int, int) is
  'The ranges of seq that make up the branch that ends at p_head_seq, the newest first.';
revoke all on function pgthreads.branch_ranges(text, text, int, int, int) from public;
