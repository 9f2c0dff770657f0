-- Who waits for a thread while a turn runs on it. Unlogged: a ticket is worth seconds, and after a crash
-- whoever still waits takes a new one. begin_turn gets a parameter with a default, so it is dropped here
-- and comes again in the same transaction.
-- squawk-ignore-file ban-drop-function, constraint-missing-not-valid

set local lock_timeout = '10s';
set local statement_timeout = '10min';

-- No foreign key: whoever takes a ticket holds the thread's row, and remove_thread deletes both.
create unlogged table pgthreads.queued_turn (
  owner_user_id text collate "C" not null,
  state_key text collate "C" not null,
  message_id text collate "C" not null,
  ticket int not null constraint queued_turn_ticket_check check (ticket > 0),
  expires_at timestamptz not null,
  constraint queued_turn_pkey primary key (owner_user_id, state_key, message_id)
) with (fillfactor = 50);

comment on table pgthreads.queued_turn is 'Messages that wait for the running turn of their thread to end.';
comment on column pgthreads.queued_turn.message_id is 'The user message that waits; stored nowhere yet.';
comment on column pgthreads.queued_turn.ticket is 'Its place among the messages that wait for this thread, given under the thread''s lock.';
comment on column pgthreads.queued_turn.expires_at is
  'Until when its sender has to ask again; after that nobody waits for it.';

alter table pgthreads.config add column max_queued int not null default 8
  constraint config_max_queued_check check (max_queued >= 0);

comment on column pgthreads.config.max_queued is
  'Messages that may wait for the running turn of a thread.';

drop function if exists pgthreads.begin_turn(text, text, jsonb, text, int, jsonb, text, boolean);
