-- Ends a turn, with what it used: in the transaction that appended its answer, so that both are
-- there or neither. Repeating it with the same status changes nothing, so usage is recorded once.
-- Locks: the thread's row, then the turn's.

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
  v_turn pgthreads.turn;
begin
  if not pgthreads.is_named_tenant(p_owner_user_id) then
    perform pgthreads.require_tenant(p_owner_user_id);
  end if;
  if p_status is null or p_status not in ('completed', 'stopped', 'failed') then
    raise exception 'not a status that a turn can end with' using
      errcode = 'invalid_parameter_value',
      detail = format('p_status is %s.', coalesce(quote_literal(left(p_status, 80)), 'null')),
      hint = 'A turn ends completed, stopped or failed.';
  end if;
  if p_usage is not null then
    perform pgthreads.require_storable(p_usage, 'p_usage', 65536);
  end if;
  select t.message_count into v_count
  from pgthreads.thread as t
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key
  for update;
  update pgthreads.turn as n
  set status = p_status,
    usage = p_usage,
    error_code = left(p_error_code, 200),
    finished_at = clock_timestamp(),
    assistant_message_id = case
      when v_count > coalesce(n.begun_count, n.user_seq) then (
        select m.message_id
        from pgthreads.message as m
        where m.owner_user_id = p_owner_user_id
          and m.state_key = p_state_key
          and m.seq between v_count and v_count
          and m.message ->> 'role' = 'assistant'
        order by m.seq
      )
    end
  where n.owner_user_id = p_owner_user_id
    and n.state_key = p_state_key
    and n.turn_id = p_turn_id
    and n.status = 'running'
  returning n.* into v_turn;
  if not found then
    select n.* into v_turn
    from pgthreads.turn as n
    where n.owner_user_id = p_owner_user_id
      and n.state_key = p_state_key
      and n.turn_id = p_turn_id;
    if v_turn.status is distinct from p_status then
      raise exception 'this turn does not run' using
        errcode = 'THLST',
        detail = format('Turn %s of thread %s is %s.', p_turn_id, p_state_key,
          coalesce(v_turn.status, 'unknown')),
        hint = 'A turn ends once.';
    end if;
  end if;
  return query select v_turn.turn_id, v_turn.status, v_turn.assistant_message_id;
end;
$$;

comment on function pgthreads.finish_turn(text, text, text, text, jsonb, text) is
  'Ends the turn and records its usage; call it in the transaction that appends the answer.';
revoke all on function pgthreads.finish_turn(text, text, text, text, jsonb, text) from public;
grant execute on function pgthreads.finish_turn(text, text, text, text, jsonb, text)
  to pgthreads_server;
