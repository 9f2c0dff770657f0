-- Row level security of turn: only the functions see it.

alter table pgthreads.turn enable row level security;
alter table pgthreads.turn force row level security;

drop policy if exists turn_owner on pgthreads.turn;
create policy turn_owner on pgthreads.turn to pgthreads_owner
  using (owner_user_id = nullif(current_setting('app.current_user_id', true), ''))
  with check (owner_user_id = nullif(current_setting('app.current_user_id', true), ''));

revoke all on pgthreads.turn from public, pgthreads_server;
