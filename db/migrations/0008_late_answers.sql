-- Answers that came too late or were refused for good: kept for people to look at, never lost silently.

set local lock_timeout = '10s';
set local statement_timeout = '10min';

-- No foreign key, which would keep thread from being split into partitions: keep_answer holds the
-- thread's row, and remove_thread deletes both.
create table pgthreads.late_answer (
  owner_user_id text collate "C" not null,
  state_key text collate "C" not null,
  turn_id text collate "C" not null,
  message text not null,
  bytes int not null,
  reason text not null,
  sqlstate text,
  created_at timestamptz not null default clock_timestamp(),
  constraint late_answer_pkey primary key (owner_user_id, state_key, turn_id)
);

comment on table pgthreads.late_answer is
  'Answers that could not be appended for good: their turn was lost, or the message was refused.';
comment on column pgthreads.late_answer.turn_id is 'The turn that generated it; at most one for each.';
comment on column pgthreads.late_answer.message is
  'The UIMessage as JSON, after redaction; cut off beyond twice config.max_message_bytes.';
comment on column pgthreads.late_answer.bytes is
  'Bytes of the whole, after redaction: more than message has where that was cut off.';
comment on column pgthreads.late_answer.reason is 'Why it was not appended, as a name.';
comment on column pgthreads.late_answer.sqlstate is 'The refusal''s, if it was the database''s.';
comment on column pgthreads.late_answer.created_at is 'When it was kept.';
