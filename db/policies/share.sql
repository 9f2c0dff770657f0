-- Row level security of share: the functions see the tenant's links, and the one link whose digest
-- is that of the token in app.share_token, which read_share sets. So without the owner as the
-- tenant, a row is seen only by whoever knows its token, and no row has it. No session of the
-- server role reads or writes this table.

alter table pgthreads.share enable row level security;
alter table pgthreads.share force row level security;

drop policy if exists share_owner on pgthreads.share;
create policy share_owner on pgthreads.share to pgthreads_owner
  using (owner_user_id = nullif(current_setting('app.current_user_id', true), ''))
  with check (owner_user_id = nullif(current_setting('app.current_user_id', true), ''));

drop policy if exists share_token on pgthreads.share;
create policy share_token on pgthreads.share for select to pgthreads_owner
  using (
    token_sha256
      = sha256(convert_to(nullif(current_setting('app.share_token', true), ''), 'UTF8'))
  );

drop policy if exists share_maintenance_select on pgthreads.share;
create policy share_maintenance_select on pgthreads.share for select to pgthreads_maintenance
  using (true);

drop policy if exists share_maintenance_delete on pgthreads.share;
create policy share_maintenance_delete on pgthreads.share for delete to pgthreads_maintenance
  using (true);

revoke all on pgthreads.share from public, pgthreads_server, pgthreads_maintenance;
grant select, delete on pgthreads.share to pgthreads_maintenance;
