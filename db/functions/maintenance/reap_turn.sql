-- abandon_turn for reap_turns, which works for no tenant: sets the turn's owner as the tenant, and
-- restores what was set before. Maintenance may call it, because it can do nothing to a turn whose
-- worker lives, and it appends only what that turn's own worker has written.

create or replace function pgthreads.reap_turn(
  p_owner_user_id text,
  p_state_key text,
  p_turn_id text
)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_tenant constant text := coalesce(current_setting('app.current_user_id', true), '');
  v_proof constant text := coalesce(current_setting('app.tenant_proof', true), '');
  v_appended int;
begin
  execute format('set local app.current_user_id = %L', p_owner_user_id);
  execute format('set local app.tenant_proof = %L', pgthreads.tenant_proof(p_owner_user_id));
  v_appended := pgthreads.abandon_turn(p_owner_user_id, p_state_key, p_turn_id);
  execute format('set local app.current_user_id = %L', v_tenant);
  execute format('set local app.tenant_proof = %L', v_proof);
  return v_appended;
end;
$$;

comment on function pgthreads.reap_turn(text, text, text) is
  'Gives up a turn whose lease has ended, as its owner; reap_turns calls it.';
revoke all on function pgthreads.reap_turn(text, text, text) from public;
grant execute on function pgthreads.reap_turn(text, text, text) to pgthreads_maintenance;
