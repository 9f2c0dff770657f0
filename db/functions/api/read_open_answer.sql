-- The open answer of a thread: what waits in it, since when, and what was responded. For servers,
-- which pass on the responses to these calls and nothing else of what a client sends, and for those
-- who look at what they have to approve. Takes no lock.

create or replace function pgthreads.read_open_answer(p_owner_user_id text, p_state_key text)
returns table (
  message_id text,
  turn_id text,
  open_since timestamptz,
  waits_until timestamptz,
  running boolean,
  message json,
  calls jsonb
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
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  perform pgthreads.require_state_key(p_state_key);
  return query
    select o.message_id, o.turn_id, o.open_since, o.open_since + c.max_wait,
      exists (
        select
        from pgthreads.turn as n
        where n.owner_user_id = p_owner_user_id
          and n.state_key = p_state_key
          and n.status = 'running'
          and n.lease_until > clock_timestamp()
      ),
      o.message,
      (
        select to_jsonb(array_agg(
          e.call || case
            when e.call ->> 'kind' = 'approval' and a.roles <> '{}'
              then jsonb_build_object('roles', to_jsonb(a.roles))
            else '{}'
          end
          order by e.place))
        from jsonb_array_elements(
          pgthreads.call_responses(p_owner_user_id, p_state_key, o.message_id, o.calls)
        ) with ordinality as e (call, place)
        cross join lateral pgthreads.approval_roles(e.call ->> 'toolName') as a (roles)
      )
    from pgthreads.open_answer as o
    cross join pgthreads.config as c
    where o.owner_user_id = p_owner_user_id and o.state_key = p_state_key;
end;
$$;

comment on function pgthreads.read_open_answer(text, text) is
  'The open answer of a thread, with the calls that wait in it and their responses.';
revoke all on function pgthreads.read_open_answer(text, text) from public;
grant execute on function pgthreads.read_open_answer(text, text) to pgthreads_server;
