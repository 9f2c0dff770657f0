-- Branches: a message may continue another one than the message before it. Null, which every message
-- stored so far has, means the one before it, so threads stay linear without a rewrite.
-- Functions whose parameters grow are dropped here; they come again, in the same transaction, with
-- more parameters that have defaults, so calls of old clients mean what they meant. The index cannot be
-- built concurrently, because an installation is one transaction.
-- squawk-ignore-file ban-drop-function, require-concurrent-index-creation, constraint-missing-not-valid

set local lock_timeout = '10s';
set local statement_timeout = '10min';

alter table pgthreads.message add column parent_seq int;
alter table pgthreads.message add constraint message_parent_seq_check
  check (parent_seq >= 0 and parent_seq < seq) not valid;
alter table pgthreads.message validate constraint message_parent_seq_check;

comment on column pgthreads.message.parent_seq is
  'The seq of the message that this one continues, 0 for none; null means the one before it.';

alter table pgthreads.turn add column begun_count int;

comment on column pgthreads.turn.begun_count is
  'How many messages the thread had when it began: its first answer comes behind those. Null in turns '
  'that are older than this column.';

comment on column pgthreads.message.digest is
  'sha256 over the digest of the message before and the bytes of this one; of a message with a '
  'parent_seq also over a line feed and that number.';

-- Holds branching messages alone, so it is empty now and costs other appends nothing.
create index message_branch on pgthreads.message (owner_user_id, state_key, seq)
  where parent_seq is not null;

drop function if exists pgthreads.append_thread(text, text, jsonb, int, text, jsonb);
drop function if exists pgthreads.begin_turn(text, text, jsonb, text, int, jsonb);
drop function if exists pgthreads.load_thread(text, text, int, int);
drop function if exists pgthreads.read_messages(text, text, int, int);
drop function if exists pgthreads.read_thread(text, text, int, int, text);
