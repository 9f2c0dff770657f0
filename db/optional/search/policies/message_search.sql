-- Row level security of message_search, and the triggers that write it. Only the functions see it,
-- and maintenance, which removes the words of threads that it removes.

alter table pgthreads.message_search enable row level security;
alter table pgthreads.message_search force row level security;

drop policy if exists message_search_owner on pgthreads.message_search;
create policy message_search_owner on pgthreads.message_search to pgthreads_owner
  using (owner_user_id = nullif(current_setting('app.current_user_id', true), ''))
  with check (owner_user_id = nullif(current_setting('app.current_user_id', true), ''));

drop policy if exists message_search_maintenance_select on pgthreads.message_search;
create policy message_search_maintenance_select on pgthreads.message_search
  for select to pgthreads_maintenance
  using (true);

drop policy if exists message_search_maintenance_delete on pgthreads.message_search;
create policy message_search_maintenance_delete on pgthreads.message_search
  for delete to pgthreads_maintenance
  using (true);

revoke all on pgthreads.message_search from public, pgthreads_server, pgthreads_maintenance;
grant select, delete on pgthreads.message_search to pgthreads_maintenance;

create or replace trigger message_search_messages
  after insert on pgthreads.message
  referencing new table as new_messages
  for each statement execute function pgthreads.index_messages();

create or replace trigger message_search_new_title
  after insert on pgthreads.thread
  for each row when (new.title is not null)
  execute function pgthreads.index_title();

create or replace trigger message_search_title
  after update of title on pgthreads.thread
  for each row when (old.title is distinct from new.title)
  execute function pgthreads.index_title();

create or replace trigger message_search_removed
  after delete on pgthreads.thread
  referencing old table as removed_threads
  for each statement execute function pgthreads.unindex_threads();
