-- Row level security of open_answer: the functions write it; a session of the server role reads its
-- tenant's, for ai_threads. A deleted thread has none, so its policy need not look at the thread.

alter table pgthreads.open_answer enable row level security;
alter table pgthreads.open_answer force row level security;

drop policy if exists open_answer_owner on pgthreads.open_answer;
create policy open_answer_owner on pgthreads.open_answer to pgthreads_owner
  using (owner_user_id = nullif(current_setting('app.current_user_id', true), ''))
  with check (owner_user_id = nullif(current_setting('app.current_user_id', true), ''));

drop policy if exists open_answer_server on pgthreads.open_answer;
create policy open_answer_server on pgthreads.open_answer for select to pgthreads_server
  using (
    owner_user_id = nullif(current_setting('app.current_user_id', true), '')
    and case
      when pgthreads.requires_token() then owner_user_id = (select pgthreads.verified_tenant())
      else true
    end
  );

drop policy if exists open_answer_maintenance_select on pgthreads.open_answer;
create policy open_answer_maintenance_select on pgthreads.open_answer
  for select to pgthreads_maintenance
  using (true);

drop policy if exists open_answer_maintenance_delete on pgthreads.open_answer;
create policy open_answer_maintenance_delete on pgthreads.open_answer
  for delete to pgthreads_maintenance
  using (true);

revoke all on pgthreads.open_answer from public, pgthreads_server, pgthreads_maintenance;
grant select on pgthreads.open_answer to pgthreads_server;
grant select, delete on pgthreads.open_answer to pgthreads_maintenance;
