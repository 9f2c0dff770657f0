-- The calls of an open answer that waited when it was left, each with what was given to it, if
-- anything was: respondedBy tells. p_calls is open_answer.calls, and keeps its order.

create or replace function pgthreads.call_responses(
  p_owner_user_id text,
  p_state_key text,
  p_message_id text,
  p_calls jsonb
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
begin
  return (
    select coalesce(to_jsonb(array_agg(
      e.call || case
        when r.tool_call_id is null then '{}'
        else r.response || jsonb_build_object(
          'respondedBy', r.responded_by, 'respondedAt', r.responded_at)
      end
      order by e.place)), '[]')
    -- The id as a column, because an expression that can fail is no index condition under row level
    -- security.
    from (
      select c.call, c.place, c.call ->> 'toolCallId' as id
      from jsonb_array_elements(p_calls) with ordinality as c (call, place)
      offset 0
    ) as e
    left join pgthreads.tool_response as r
      on r.owner_user_id = p_owner_user_id
      and r.state_key = p_state_key
      and r.message_id = p_message_id
      and r.tool_call_id = e.id
  );
end;
$$;

comment on function pgthreads.call_responses(text, text, text, jsonb) is
  'The calls of an open answer with the responses that were given to them.';
revoke all on function pgthreads.call_responses(text, text, text, jsonb) from public;
