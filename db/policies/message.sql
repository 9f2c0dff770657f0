-- Row level security of message: MESSAGES_GROW_ONLY and TENANT_SCOPED. There is no policy for
-- UPDATE, and the one for DELETE is for maintenance. So nobody else can change or remove a stored
-- row, except a role that bypasses row level security, and the trigger stops that one. The server
-- role's policy looks at the thread, because a message does not know that its thread is deleted. It
-- is for SELECT alone, so no write ever meets the subquery.

alter table pgthreads.message enable row level security;
alter table pgthreads.message force row level security;

drop policy if exists message_owner_select on pgthreads.message;
create policy message_owner_select on pgthreads.message for select to pgthreads_owner
  using (owner_user_id = nullif(current_setting('app.current_user_id', true), ''));

drop policy if exists message_owner_insert on pgthreads.message;
create policy message_owner_insert on pgthreads.message for insert to pgthreads_owner
  with check (owner_user_id = nullif(current_setting('app.current_user_id', true), ''));

drop policy if exists message_server on pgthreads.message;
create policy message_server on pgthreads.message for select to pgthreads_server
  using (
    owner_user_id = nullif(current_setting('app.current_user_id', true), '')
    and case
      when pgthreads.requires_token() then owner_user_id = (select pgthreads.verified_tenant())
      else true
    end
    and exists (
      select
      from pgthreads.thread as t
      where t.owner_user_id = message.owner_user_id and t.state_key = message.state_key
    )
  );

drop policy if exists message_maintenance_select on pgthreads.message;
create policy message_maintenance_select on pgthreads.message for select to pgthreads_maintenance
  using (true);

drop policy if exists message_maintenance_delete on pgthreads.message;
create policy message_maintenance_delete on pgthreads.message for delete to pgthreads_maintenance
  using (true);

revoke all on pgthreads.message from public, pgthreads_server, pgthreads_maintenance;
grant select on pgthreads.message to pgthreads_server;
grant select, delete on pgthreads.message to pgthreads_maintenance;

create or replace trigger message_grow_only
  before update or delete or truncate on pgthreads.message
  for each statement execute function pgthreads.refuse_change();
