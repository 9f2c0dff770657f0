-- Keeps an answer that can never be appended, so that people can look at it: its turn was given up,
-- or the message was refused. It is no part of the thread, but is removed together with it. Keeps
-- TENANT_SCOPED and REDACT_BEFORE_PERSIST. Only the first answer of each turn is kept, so repeating
-- a call changes nothing. Locks: the thread's row, shared, so that it is not purged or erased
-- meanwhile, and nothing is appended to it.

create or replace function pgthreads.keep_answer(
  p_owner_user_id text,
  p_state_key text,
  p_turn_id text,
  p_message jsonb,
  p_reason text,
  p_sqlstate text default null
)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
  v_limit bigint := (
    select least(2::bigint * c.max_message_bytes, 100000000) from pgthreads.config as c
  );
  v_printable boolean;
  v_is_message boolean;
  v_text text;
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  perform pgthreads.require_state_key(p_state_key);
  if p_message is null or coalesce(p_reason, '') = '' then
    raise exception 'nothing to keep' using
      errcode = 'invalid_parameter_value',
      detail = 'p_message or p_reason is missing.',
      hint = 'Pass the answer, and the reason why it was not appended.';
  end if;
  begin
    v_printable := pgthreads.is_short(p_message, (v_limit / 2)::int);
  exception
    -- It is nested so deep that no function can go down into it.
    when statement_too_complex then
      v_printable := false;
  end;
  if not v_printable then
    -- It is far too large to print, which may be why it was refused. Its texts are kept.
    p_message := jsonb_build_object(
      'id', p_message -> 'id',
      'role', p_message -> 'role',
      'parts', jsonb_path_query_array(
        p_message, '$.parts[*] ? (@.type == "text" || @.type == "reasoning")
          ? (@.text.type() == "string").text'));
  end if;
  -- It may have been refused because it is no UIMessage. Then it is redacted like any other JSON.
  v_is_message := jsonb_typeof(p_message) = 'object' and pgthreads.has_shape(p_message);
  v_text := p_message::text;
  v_text := case
    when v_is_message
      then (pgthreads.redact_batches(array[p_message ->> 'id'], array[v_text]))[1]
    else pgthreads.redact_json_text(v_text)
  end;
  perform
  from pgthreads.thread as t
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key
  for key share;
  -- This is a statement of its own, so it sees what others removed while the one above waited for
  -- the lock.
  insert into pgthreads.late_answer
    (owner_user_id, state_key, turn_id, message, bytes, reason, sqlstate)
  select n.owner_user_id, n.state_key, n.turn_id,
    left(v_text, v_limit::int), octet_length(v_text), left(p_reason, 200), left(p_sqlstate, 5)
  from pgthreads.turn as n
  where n.owner_user_id = p_owner_user_id
    and n.state_key = p_state_key
    and n.turn_id = p_turn_id
  on conflict (owner_user_id, state_key, turn_id) do nothing;
  return exists (
    select
    from pgthreads.late_answer as l
    where l.owner_user_id = p_owner_user_id
      and l.state_key = p_state_key
      and l.turn_id = p_turn_id
  );
end;
$$;

comment on function pgthreads.keep_answer(text, text, text, jsonb, text, text) is
  'Keeps an answer that cannot be appended any more; false if there is no such turn.';
revoke all on function pgthreads.keep_answer(text, text, text, jsonb, text, text) from public;
grant execute on function pgthreads.keep_answer(text, text, text, jsonb, text, text)
  to pgthreads_server;
