-- Row level security of thread: the functions, which run as the owner role, see a tenant's threads.
-- A session of the server role sees those that are not deleted, and writes none.

alter table pgthreads.thread enable row level security;
alter table pgthreads.thread force row level security;

drop policy if exists thread_owner on pgthreads.thread;
create policy thread_owner on pgthreads.thread to pgthreads_owner
  using (owner_user_id = nullif(current_setting('app.current_user_id', true), ''))
  with check (owner_user_id = nullif(current_setting('app.current_user_id', true), ''));

drop policy if exists thread_server on pgthreads.thread;
create policy thread_server on pgthreads.thread for select to pgthreads_server
  using (
    owner_user_id = nullif(current_setting('app.current_user_id', true), '')
    and case
      when pgthreads.requires_token() then owner_user_id = (select pgthreads.verified_tenant())
      else true
    end
    and deleted_at is null
  );

-- Maintenance sees and removes threads of all tenants. It locks them, and for that PostgreSQL wants
-- a policy and a privilege for UPDATE; but no new version of a row passes the check.
drop policy if exists thread_maintenance_select on pgthreads.thread;
create policy thread_maintenance_select on pgthreads.thread for select to pgthreads_maintenance
  using (true);

drop policy if exists thread_maintenance_lock on pgthreads.thread;
create policy thread_maintenance_lock on pgthreads.thread for update to pgthreads_maintenance
  using (true)
  with check (false);

drop policy if exists thread_maintenance_delete on pgthreads.thread;
create policy thread_maintenance_delete on pgthreads.thread for delete to pgthreads_maintenance
  using (true);

revoke all on pgthreads.thread from public, pgthreads_server, pgthreads_maintenance;
grant select on pgthreads.thread to pgthreads_server;
grant select, update (updated_at), delete on pgthreads.thread to pgthreads_maintenance;
