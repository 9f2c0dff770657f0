-- Row level security of thread: the functions, which run as the owner role, see a tenant's threads;
-- a session of the server role sees those that are not deleted, and writes none.

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
    and deleted_at is null
  );

revoke all on pgthreads.thread from public, pgthreads_server;
grant select on pgthreads.thread to pgthreads_server;
