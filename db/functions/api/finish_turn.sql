-- Ends a turn and records what it used. It is called in the transaction that appends the answer, so
-- that both are stored or neither is. Repeating a call with the same status changes nothing, so
-- usage is recorded once. A turn that continues the open answer and has appended nothing leaves it
-- closed. Locks: the thread's row, then the turn's.

create or replace function pgthreads.finish_turn(
  p_owner_user_id text,
  p_state_key text,
  p_turn_id text,
  p_status text,
  p_usage jsonb default null,
  p_error_code text default null
)
returns table (turn_id text, status text, assistant_message_id text)
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
  v_count int;
  v_open_since timestamptz;
begin
  if not pgthreads.is_named_tenant(p_owner_user_id) then
    perform pgthreads.require_tenant(p_owner_user_id);
  end if;
  if p_status in ('completed', 'stopped', 'failed') is not true then
    perform pgthreads.require_end_status(p_status);
  end if;
  if p_usage is not null then
    perform pgthreads.require_storable(p_usage, 'p_usage', 65536);
  end if;
  select t.message_count, t.open_since into v_count, v_open_since
  from pgthreads.thread as t
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key
  for update;
  if v_open_since is not null then
    perform
    from pgthreads.turn as n
    where n.owner_user_id = p_owner_user_id
      and n.state_key = p_state_key
      and n.turn_id = p_turn_id
      and n.status = 'running'
      and n.continues is not null;
    if found then
      v_count := v_count
        + pgthreads.close_answer(p_owner_user_id, p_state_key, nullif(p_status, 'completed'));
    end if;
  end if;
  turn_id := p_turn_id;
  status := p_status;
  assistant_message_id := pgthreads.end_turn(
    p_owner_user_id, p_state_key, p_turn_id, p_status, p_usage, p_error_code, v_count);
  return next;
end;
$$;

comment on function pgthreads.finish_turn(text, text, text, text, jsonb, text) is
  'Ends the turn and records its usage; call it in the transaction that appends the answer.';
revoke all on function pgthreads.finish_turn(text, text, text, text, jsonb, text) from public;
grant execute on function pgthreads.finish_turn(text, text, text, text, jsonb, text)
  to pgthreads_server;
