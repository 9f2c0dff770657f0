-- close_answer for reap_turns, which is for no tenant: sets the thread's owner as the tenant, and
-- puts back what was set before. Maintenance may call it, because it does nothing to an answer that
-- has not waited for config.max_wait, or that a turn continues. The caller holds the thread's row.

create or replace function pgthreads.reap_answer(p_owner_user_id text, p_state_key text)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_tenant constant text := coalesce(current_setting('app.current_user_id', true), '');
  v_proof constant text := coalesce(current_setting('app.tenant_proof', true), '');
  v_appended int := 0;
begin
  execute format('set local app.current_user_id = %L', p_owner_user_id);
  execute format('set local app.tenant_proof = %L', pgthreads.tenant_proof(p_owner_user_id));
  perform
  from pgthreads.thread as t
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key
  for update;
  perform
  from pgthreads.open_answer as o
  cross join pgthreads.config as c
  where o.owner_user_id = p_owner_user_id
    and o.state_key = p_state_key
    and o.open_since <= clock_timestamp() - c.max_wait
    and not exists (
      select
      from pgthreads.turn as n
      where n.owner_user_id = p_owner_user_id
        and n.state_key = p_state_key
        and n.status = 'running'
    );
  if found then
    v_appended := pgthreads.close_answer(p_owner_user_id, p_state_key, 'abandoned');
  end if;
  execute format('set local app.current_user_id = %L', v_tenant);
  execute format('set local app.tenant_proof = %L', v_proof);
  return v_appended;
end;
$$;

comment on function pgthreads.reap_answer(text, text) is
  'Closes an open answer that has waited too long, as its owner; for reap_turns.';
revoke all on function pgthreads.reap_answer(text, text) from public;
grant execute on function pgthreads.reap_answer(text, text) to pgthreads_maintenance;
