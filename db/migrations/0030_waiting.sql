-- Answers that wait for a person or the client: the open answer of a thread, the responses to its
-- calls, and who must approve them. list_threads and read_head get a column, so they are dropped here
-- and come again in the same transaction. Indexes cannot be built concurrently, because an installation
-- is one transaction.
-- squawk-ignore-file ban-drop-function, ban-drop-constraint, require-concurrent-index-creation
-- squawk-ignore-file constraint-missing-not-valid

set local lock_timeout = '10s';
set local statement_timeout = '10min';

alter table pgthreads.config add column max_wait interval default '7 days'
  constraint config_max_wait_check check (max_wait > '0');

comment on column pgthreads.config.max_wait is
  'How long an open answer may wait before reap_turns closes it; null is for ever.';

alter table pgthreads.thread add column open_since timestamptz;

comment on column pgthreads.thread.open_since is
  'Since when it has an open answer, which waits or is being continued; null if it has none.';

alter table pgthreads.turn add column continues text collate "C";

comment on column pgthreads.turn.continues is
  'The message id of the open answer that it continues; null for a turn that begins its answer.';

alter table pgthreads.turn drop constraint turn_status_check;
alter table pgthreads.turn add constraint turn_status_check
  check (status in ('running', 'completed', 'stopped', 'failed', 'abandoned', 'waiting')) not valid;
alter table pgthreads.turn validate constraint turn_status_check;

-- No foreign keys, which would keep thread from being split into partitions: whoever writes here holds
-- the thread's row, and remove_thread deletes these rows, too.
create table pgthreads.open_answer (
  owner_user_id text collate "C" not null,
  state_key text collate "C" not null,
  turn_id text collate "C" not null,
  user_seq int not null,
  message_id text collate "C" not null,
  message json not null,
  digest bytea not null,
  calls jsonb not null,
  open_since timestamptz not null default clock_timestamp(),
  continued_by text collate "C",
  constraint open_answer_pkey primary key (owner_user_id, state_key)
);

create index open_answer_since on pgthreads.open_answer (open_since);

comment on table pgthreads.open_answer is
  'Answers that wait for a person or the client, at most one a thread; no messages of it yet.';
comment on column pgthreads.open_answer.turn_id is 'The turn that left it.';
comment on column pgthreads.open_answer.user_seq is 'The seq of the user message that it answers.';
comment on column pgthreads.open_answer.message_id is
  'The UIMessage''s id, which it keeps when it becomes a message.';
comment on column pgthreads.open_answer.message is
  'The UIMessage so far, redacted, with the responses applied, as the text of its jsonb.';
comment on column pgthreads.open_answer.digest is 'sha256 over the bytes of message.';
comment on column pgthreads.open_answer.calls is
  'The calls that waited when it was left: toolCallId, toolName, kind and inputSha256 of each.';
comment on column pgthreads.open_answer.open_since is 'When the turn left it.';
comment on column pgthreads.open_answer.continued_by is
  'The turn that goes on with it; null while it waits.';

create table pgthreads.tool_response (
  owner_user_id text collate "C" not null,
  state_key text collate "C" not null,
  message_id text collate "C" not null,
  tool_call_id text collate "C" not null
    constraint tool_response_tool_call_id_check check (char_length(tool_call_id) <= 256),
  tool_name text not null,
  kind text not null
    constraint tool_response_kind_check check (kind in ('approval', 'client')),
  response jsonb not null,
  input_sha256 text not null,
  responded_by text not null,
  responded_at timestamptz not null default clock_timestamp(),
  constraint tool_response_pkey primary key (owner_user_id, state_key, message_id, tool_call_id)
);

comment on table pgthreads.tool_response is
  'The responses to calls that waited, one a call; they stay as long as the thread.';
comment on column pgthreads.tool_response.message_id is 'The answer that the call is a part of.';
comment on column pgthreads.tool_response.tool_call_id is 'The call, unique in its answer.';
comment on column pgthreads.tool_response.tool_name is 'The tool that was called.';
comment on column pgthreads.tool_response.kind is 'What it waited for: an approval, or the client.';
comment on column pgthreads.tool_response.response is
  'What was given, redacted: approved and reason, or output, or errorText.';
comment on column pgthreads.tool_response.input_sha256 is
  'sha256 over the text of the tool''s input as it was shown, in hexadecimal.';
comment on column pgthreads.tool_response.responded_by is 'The login (session_user) that gave it.';
comment on column pgthreads.tool_response.responded_at is 'When it was given.';

create table pgthreads.approval_policy (
  tool_name text not null
    constraint approval_policy_tool_name_check check (char_length(tool_name) between 1 and 256),
  role_name name not null,
  reason text,
  constraint approval_policy_pkey primary key (tool_name, role_name)
);

comment on table pgthreads.approval_policy is
  'Tools whose calls not everybody may approve: only logins that are members of the role.';
comment on column pgthreads.approval_policy.tool_name is
  'A tool''s name, or a pattern of names: * stands for any characters.';
comment on column pgthreads.approval_policy.role_name is
  'The database role of which a login has to be a member; of all of them where several match.';
comment on column pgthreads.approval_policy.reason is 'Why, for people.';

do $$
begin
  if exists (
    select
    from pg_settings as s
    where s.name = 'default_toast_compression' and 'lz4' = any (s.enumvals)
  ) then
    alter table pgthreads.open_answer alter column message set compression lz4;
    alter table pgthreads.tool_response alter column response set compression lz4;
  end if;
end;
$$;

drop function if exists pgthreads.list_threads(text, int, text);
drop function if exists pgthreads.read_head(text, text, text);
