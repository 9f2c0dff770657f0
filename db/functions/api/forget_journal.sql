-- Deletes the journal of a turn that does not run any more, and returns the number of its rows. The
-- turn's worker calls this some seconds after the turn has ended, so that others who follow the
-- turn can read its last frames. Locks: the rows that it deletes.

create or replace function pgthreads.forget_journal(
  p_owner_user_id text,
  p_state_key text,
  p_turn_id text
)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
  v_rows int;
begin
  if not pgthreads.is_named_tenant(p_owner_user_id) then
    perform pgthreads.require_tenant(p_owner_user_id);
  end if;
  delete from pgthreads.journal as j
  where j.owner_user_id = p_owner_user_id
    and j.state_key = p_state_key
    and j.turn_id = p_turn_id
    and not exists (
      select
      from pgthreads.turn as n
      where n.owner_user_id = p_owner_user_id
        and n.state_key = p_state_key
        and n.turn_id = p_turn_id
        and n.status = 'running'
    );
  get diagnostics v_rows = row_count;
  return v_rows;
end;
$$;

comment on function pgthreads.forget_journal(text, text, text) is
  'Deletes the journal of a turn that has ended; returns the number of its rows.';
revoke all on function pgthreads.forget_journal(text, text, text) from public;
grant execute on function pgthreads.forget_journal(text, text, text) to pgthreads_server;
