-- Threads, their messages, turns, redaction rules and limits. DESIGN: every key starts with the
-- owner, so that each table can be partitioned or distributed by it.

set local lock_timeout = '10s';
set local statement_timeout = '10min';

create table pgthreads.thread (
  owner_user_id text collate "C" not null
    constraint thread_owner_user_id_check check (char_length(owner_user_id) between 1 and 255),
  state_key text collate "C" not null
    constraint thread_state_key_check check (state_key ~ '^[a-zA-Z0-9_-]{1,128}$'),
  id uuid not null default gen_random_uuid(),
  message_count int not null default 0
    constraint thread_message_count_check check (message_count >= 0),
  title text
    constraint thread_title_check check (char_length(title) between 1 and 200),
  metadata jsonb not null default '{}'
    constraint thread_metadata_check check (jsonb_typeof(metadata) = 'object'),
  head_digest bytea not null default '\x',
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  deleted_at timestamptz,
  constraint thread_pkey primary key (owner_user_id, state_key)
) with (fillfactor = 80);

create index thread_recency on pgthreads.thread (owner_user_id, updated_at desc, state_key desc)
  where deleted_at is null;

comment on table pgthreads.thread is 'A conversation of one owner; its row is the lock of its appends.';
comment on column pgthreads.thread.owner_user_id is 'The tenant: the authenticated user id.';
comment on column pgthreads.thread.state_key is 'The only identifier that a client sees.';
comment on column pgthreads.thread.id is 'For joins with the tables of an application.';
comment on column pgthreads.thread.message_count is 'How many messages; the seq of the last one.';
comment on column pgthreads.thread.title is
  'Set by update_thread, before that the start of the first user message.';
comment on column pgthreads.thread.metadata is 'An object of the application''s.';
comment on column pgthreads.thread.head_digest is 'The digest of the last message, empty if none.';
comment on column pgthreads.thread.updated_at is 'When the last message was appended.';
comment on column pgthreads.thread.deleted_at is 'When it was soft-deleted; null while it lives.';

create table pgthreads.message (
  owner_user_id text collate "C" not null,
  state_key text collate "C" not null,
  seq int not null constraint message_seq_check check (seq > 0),
  message_id text collate "C" not null,
  message json not null,
  digest bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint message_pkey primary key (owner_user_id, state_key, seq),
  constraint message_message_id_key unique (owner_user_id, state_key, message_id),
  constraint message_thread_fkey foreign key (owner_user_id, state_key)
    references pgthreads.thread (owner_user_id, state_key)
);

comment on table pgthreads.message is 'One UIMessage a row, whole; appended, never changed.';
comment on column pgthreads.message.seq is 'Its place in the thread: 1, 2, 3 without gaps.';
comment on column pgthreads.message.message_id is 'The UIMessage''s id, unique in its thread.';
comment on column pgthreads.message.message is
  'The UIMessage as the text of its jsonb: exactly the bytes that the digest covers.';
comment on column pgthreads.message.digest is
  'sha256 over the digest of the message before and the bytes of this one.';

create table pgthreads.turn (
  owner_user_id text collate "C" not null,
  state_key text collate "C" not null,
  turn_id text collate "C" not null
    constraint turn_turn_id_check check (char_length(turn_id) between 1 and 128),
  status text not null default 'running'
    constraint turn_status_check
    check (status in ('running', 'completed', 'stopped', 'failed', 'abandoned')),
  lease_until timestamptz not null,
  stop_requested_at timestamptz,
  user_seq int not null,
  assistant_message_id text collate "C",
  usage jsonb,
  error_code text,
  started_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  constraint turn_pkey primary key (owner_user_id, state_key, turn_id),
  constraint turn_finished_check check ((status = 'running') = (finished_at is null)),
  constraint turn_thread_fkey foreign key (owner_user_id, state_key)
    references pgthreads.thread (owner_user_id, state_key)
) with (fillfactor = 80);

create unique index turn_one_running on pgthreads.turn (owner_user_id, state_key)
  where status = 'running';

comment on table pgthreads.turn is 'One user message and the generation that answers it.';
comment on column pgthreads.turn.lease_until is
  'Until when its server may append; after that another may take the thread over.';
comment on column pgthreads.turn.stop_requested_at is 'When somebody asked it to stop.';
comment on column pgthreads.turn.user_seq is 'The seq of the user message that it answers.';
comment on column pgthreads.turn.assistant_message_id is 'The message that it appended, if any.';
comment on column pgthreads.turn.usage is 'What the model''s provider counted; never sent to a client.';
comment on column pgthreads.turn.error_code is 'Why it failed, as a name.';

create table pgthreads.redaction_rule (
  name text primary key,
  category text not null,
  pattern text not null,
  replacement text not null,
  screen text not null,
  verifier text
    constraint redaction_rule_verifier_check check (verifier in ('luhn', 'iban')),
  enabled boolean not null default true,
  ordering int not null
);

comment on table pgthreads.redaction_rule is
  'What is taken out of new messages. A change here never rewrites what is stored.';
comment on column pgthreads.redaction_rule.category is 'What the rule looks for, for people.';
comment on column pgthreads.redaction_rule.pattern is
  'Regular expression over one decoded string, never over serialised JSON.';
comment on column pgthreads.redaction_rule.replacement is
  'What stands in its place; \1 and so on are the pattern''s groups.';
comment on column pgthreads.redaction_rule.screen is
  'Regular expression over serialised JSON that matches wherever the pattern could: literals '
  'without word boundaries, and short, for its cost is the number of its states.';
comment on column pgthreads.redaction_rule.verifier is
  'A check that no regular expression can make; only a match that passes it is replaced. The pattern '
  'of such a rule has no capturing groups.';
comment on column pgthreads.redaction_rule.ordering is 'Rules run in ascending order.';

create table pgthreads.config (
  only_row boolean primary key default true
    constraint config_only_row_check check (only_row),
  max_messages int not null default 10000
    constraint config_max_messages_check check (max_messages > 0),
  max_message_bytes int not null default 1048576
    constraint config_max_message_bytes_check check (max_message_bytes > 0),
  lease interval not null default '60 seconds'
    constraint config_lease_check check (lease > '0'),
  purge_after interval not null default '90 days'
    constraint config_purge_after_check check (purge_after >= '0'),
  redaction_screen text
);

comment on table pgthreads.config is
  'One row of limits. A table and not settings, because any session can set a setting.';
comment on column pgthreads.config.only_row is 'Keeps this table at one row.';
comment on column pgthreads.config.max_messages is 'Messages that a thread may hold.';
comment on column pgthreads.config.max_message_bytes is
  'Bytes of one stored message, as the text of its jsonb in UTF-8.';
comment on column pgthreads.config.lease is 'How long a turn may go without a heartbeat.';
comment on column pgthreads.config.purge_after is
  'How long a soft-deleted thread is kept before it may be purged.';
comment on column pgthreads.config.redaction_screen is
  'The screens of all enabled rules as one expression; kept by a trigger on redaction_rule.';

insert into pgthreads.config default values;

-- lz4 where this server was built with it: loads are then mostly a copy of bytes.
do $$
begin
  if exists (
    select
    from pg_settings as s
    where s.name = 'default_toast_compression' and 'lz4' = any (s.enumvals)
  ) then
    alter table pgthreads.message alter column message set compression lz4;
  end if;
end;
$$;
