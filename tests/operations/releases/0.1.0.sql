-- Release 0.1.0, made of e258097, its migrations as in b395d7f.

begin;

set local client_min_messages = warning;

set local search_path = pg_catalog, pg_temp;

create schema pgthreads authorization pgthreads_owner;

set local role pgthreads_owner;

set local check_function_bodies = off;

-- The ledger of migrations and the one function that applies them: psql and every other installer
-- hand it the same bytes, so that the same checksum is kept whichever of them ran.
-- Runs as pgthreads_owner.

comment on schema pgthreads is 'Server-authoritative chat threads.';
grant usage on schema pgthreads to pgthreads_server, pgthreads_maintenance;

create table if not exists pgthreads.migration (
  name text primary key check (name ~ '^[0-9]{4}_[a-z0-9_]+$'),
  checksum text not null,
  applied_at timestamptz not null default clock_timestamp()
);
alter table pgthreads.migration enable row level security;
alter table pgthreads.migration force row level security;
comment on table pgthreads.migration is 'Applied migrations and the sha256 of their text.';

do $$
begin
  if not exists (
    select
    from pg_catalog.pg_policy as p
    where p.polrelid = 'pgthreads.migration'::regclass and p.polname = 'migration_owner'
  ) then
    create policy migration_owner on pgthreads.migration to pgthreads_owner
      using (true) with check (true);
  end if;
end;
$$;

create or replace function pgthreads.apply_migration(p_name text, p_sql text)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_checksum text := encode(sha256(convert_to(rtrim(p_sql, E'\r\n'), 'UTF8')), 'hex');
  v_applied text;
begin
  select m.checksum into v_applied from pgthreads.migration as m where m.name = p_name;
  if v_applied = v_checksum then
    return false;
  end if;
  if v_applied is not null then
    raise exception 'migration % was edited after it had been applied', p_name using
      errcode = 'object_not_in_prerequisite_state',
      detail = format('Applied checksum %s, checksum of the file %s.', v_applied, v_checksum),
      hint = 'Restore the file as it was released and put the change into a new migration.';
  end if;
  execute p_sql;
  insert into pgthreads.migration (name, checksum) values (p_name, v_checksum);
  return true;
end;
$$;

comment on function pgthreads.apply_migration(text, text) is
  'Runs a migration that has not run yet; refuses one that was edited after it had run.';
revoke all on function pgthreads.apply_migration(text, text) from public;

select pgthreads.apply_migration('0001_tables', $migration$-- Threads, their messages, turns, redaction rules and limits. DESIGN: every key starts with the
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
$$;$migration$);

select pgthreads.apply_migration('0002_redaction_rules', $migration$-- The rules that ship. Off by default: what is rarely a secret and often wanted in a chat.
-- <start> is what stands before a word, or an escape such as \n: tool output is often JSON inside a
-- string, where the letter of the escape would hide the boundary. It is matched and put back, since a
-- lookbehind is tried from the start of the text at every place, and so quadratic.

insert into pgthreads.redaction_rule
  (ordering, name, category, pattern, replacement, screen, verifier, enabled)
select
  v.ordering, v.name, v.category,
  replace(
    v.pattern, '<start>',
    case when v.verifier is null then '(' else '(?:' end
      || '^|[^A-Za-z0-9]|\\[bfnrt]|\\u[0-9a-fA-F]{4})'
  ),
  v.replacement, v.screen, v.verifier, v.enabled
from (values
  (
    10, 'private_key', 'PEM private keys',
    '-----BEGIN [A-Z0-9 ]*?PRIVATE KEY(?: BLOCK)??-----(?:.*?-----END [A-Z0-9 ]*?PRIVATE KEY(?: BLOCK)??-----)',
    '[REDACTED:private_key]', '-----BEGIN', null, true
  ),
  (
    11, 'private_key_cut', 'PEM private keys without their end',
    '-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[A-Za-z0-9+/=\s\\]*',
    '[REDACTED:private_key]', '-----BEGIN', null, true
  ),
  (
    20, 'jwt', 'JSON Web Tokens',
    '<start>eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*',
    '\1[REDACTED:jwt]', 'eyJ', null, true
  ),
  (
    30, 'bearer_token', 'Bearer tokens',
    '(?i)<start>(bearer\s+)[a-z0-9._~+/=-]{16,}',
    '\1\2[REDACTED:bearer_token]', '[Bb][Ee][Aa][Rr][Ee][Rr]', null, true
  ),
  (
    40, 'github_token', 'GitHub and GitLab tokens',
    '<start>(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}|glpat-[A-Za-z0-9_-]{20,})',
    '\1[REDACTED:github_token]',
    'gh[pousr]_|github_pat_|glpat-', null, true
  ),
  (
    50, 'provider_api_key', 'API keys of model providers and payment services',
    '<start>(?:sk-[A-Za-z0-9_-]{16,}|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|AIza[0-9A-Za-z_-]{35}|gsk_[A-Za-z0-9]{32,}|hf_[A-Za-z0-9]{30,}|xai-[A-Za-z0-9]{32,}|pplx-[A-Za-z0-9]{32,}|r8_[A-Za-z0-9]{32,}|xox[abeoprs]-[A-Za-z0-9-]{10,})',
    '\1[REDACTED:provider_api_key]',
    'sk-[A-Za-z0-9_-]{4}|[rs]k_(?:live|test)_|AIza|gsk_|hf_|xai-|pplx-|r8_|xox[abeoprs]-',
    null, true
  ),
  (
    60, 'cloud_key_id', 'Access key ids of AWS',
    '<start>(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}(?![A-Za-z0-9])',
    '\1[REDACTED:cloud_key]', '(?:AKI|ASI|ABI|ACC)A', null, true
  ),
  (
    61, 'cloud_secret', 'Secret keys of AWS and Azure next to their names',
    '(?i)(secret_?access_?key["'']?\s*[=:]\s*["'']?|accountkey=)[a-z0-9/+=]{40,}',
    '\1[REDACTED:cloud_key]',
    '[Ss][Ss]_?[Kk][Ee][Yy]|[Tt][Kk][Ee][Yy]=',
    null, true
  ),
  (
    70, 'url_password', 'Passwords in URLs',
    '([A-Za-z][A-Za-z0-9+.-]*://[^/\s:@]*:)[^/\s@]+(@)',
    '\1[REDACTED:password]\2', '://[^/@]*:[^/@]+@', null, true
  ),
  (
    80, 'payment_card', 'Payment cards with a right check digit',
    '(?:^|[^0-9])[2-6](?:[ -]?[0-9]){12,126}',
    '[REDACTED:payment_card]',
    '[2-6](?:[ -]?[0-9]){12}', 'luhn', true
  ),
  (
    90, 'us_ssn', 'US social security numbers',
    '(^|[^0-9-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![0-9-])',
    '\1[REDACTED:us_ssn]', '[0-9]{3}-[0-9]{2}-[0-9]{4}', null, true
  ),
  (
    100, 'iban', 'IBANs with right check digits',
    '<start>[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])',
    '[REDACTED:iban]', '[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4}', 'iban', true
  ),
  (
    200, 'email', 'E-mail addresses',
    '[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}',
    '[REDACTED:email]', '@[A-Za-z0-9-]+\.', null, false
  ),
  (
    210, 'phone', 'Phone numbers in international form',
    '(^|[^0-9+])\+[1-9][0-9 ().-]{6,18}[0-9]',
    '\1[REDACTED:phone]', '\+[1-9][0-9 ().-]{6}', null, false
  ),
  (
    220, 'ip_address', 'IPv4 addresses',
    '(^|[^0-9.])(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?![0-9.])',
    '\1[REDACTED:ip_address]', '[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]', null, false
  )
) as v (ordering, name, category, pattern, replacement, screen, verifier, enabled);$migration$);

-- The contract's version: raised when a client of an older one would break.

create or replace function pgthreads.api_version()
returns int
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select 1;
$$;

comment on function pgthreads.api_version() is
  'The version of the contract of these functions.';
revoke all on function pgthreads.api_version() from public;
grant execute on function pgthreads.api_version() to pgthreads_server, pgthreads_maintenance;

-- Appends UIMessages to a thread, and creates it if it is new. The one way by which a message gets
-- into a thread. Keeps SERIALIZED_APPENDS, EXACTLY_ONCE, REDACT_BEFORE_PERSIST, TENANT_SCOPED and,
-- with p_turn_id, ONE_TURN_PER_THREAD.
--
-- Messages are checked and redacted before the lock is taken. Locks: the thread's row, then the row
-- of a turn that has to be given up. A message id that is stored with the same content is left out,
-- and a call whose messages are all stored changes nothing and succeeds whatever count and turn it
-- names: it is the repetition of a call whose answer got lost.

create or replace function pgthreads.append_thread(
  p_owner_user_id text,
  p_state_key text,
  p_messages jsonb,
  p_expected_count int default null,
  p_turn_id text default null,
  p_metadata jsonb default null
)
returns table (state_key text, message_count int, appended int)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_key text := p_state_key;
  v_config pgthreads.config;
  v_thread pgthreads.thread;
  v_count int;
  v_turn pgthreads.turn;
  v_message jsonb;
  v_place bigint;
  v_fault text;
  v_text text;
  v_id text;
  v_ids text[] := array[]::text[];
  v_texts text[] := array[]::text[];
  v_digests bytea[] := array[]::bytea[];
  v_digest bytea;
  v_new_ids text[] := array[]::text[];
  v_new_texts text[] := array[]::text[];
  v_title text;
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  if v_key is null then
    v_key := pgthreads.new_state_key();
  else
    perform pgthreads.require_state_key(v_key);
  end if;
  if p_messages is null or jsonb_typeof(p_messages) <> 'array' then
    raise exception 'not an array of UIMessages' using
      errcode = 'THMSG',
      detail = format('p_messages is %s.', coalesce(jsonb_typeof(p_messages), 'null')),
      hint = 'Pass a jsonb array, also for one message.';
  end if;

  select c.* into strict v_config from pgthreads.config as c;
  if jsonb_array_length(p_messages) > v_config.max_messages then
    raise exception 'these are more messages than a thread may hold' using
      errcode = 'THMAX',
      detail = format('p_messages has %s messages, the limit of a thread is %s.',
        jsonb_array_length(p_messages), v_config.max_messages),
      hint = 'Start a new thread.';
  end if;
  for v_message, v_place in
    select e.value, e.ordinality - 1
    from jsonb_array_elements(p_messages) with ordinality as e (value, ordinality)
  loop
    v_fault := pgthreads.ui_message_fault(v_message);
    if v_fault is not null then
      raise exception 'not a UIMessage' using
        errcode = 'THMSG',
        detail = format('messages[%s]: %s', v_place, v_fault),
        hint = 'Store what validateUIMessages of the AI SDK accepts.';
    end if;
    v_id := v_message ->> 'id';
    v_text := v_message::text;
    -- redact_message looks again without the id, which may well look like a secret.
    if v_text ~ v_config.redaction_screen then
      v_message := pgthreads.redact_message(v_message);
      v_text := v_message::text;
    end if;
    if octet_length(v_text) > v_config.max_message_bytes then
      raise exception 'the message is too large' using
        errcode = 'THMAX',
        detail = format('messages[%s] has %s bytes, the limit is %s.', v_place,
          octet_length(v_text), v_config.max_message_bytes),
        hint = 'Keep large content elsewhere and refer to it by a URL in a file part.';
    end if;
    if v_id = any (v_ids) then
      if v_texts[array_position(v_ids, v_id)]::jsonb is distinct from v_message then
        raise exception 'a message id stands twice with different content' using
          errcode = 'THDUP',
          detail = format('messages[%s] has the id %L of a message before it.', v_place, v_id),
          hint = 'Give every message an id of its own.';
      end if;
      continue;
    end if;
    v_ids := array_append(v_ids, v_id);
    v_texts := array_append(v_texts, v_text);
  end loop;

  loop
    select t.* into v_thread
    from pgthreads.thread as t
    where t.owner_user_id = p_owner_user_id and t.state_key = v_key
    for update;
    exit when found;
    if coalesce(p_expected_count, 0) = 0 and p_turn_id is null then
      insert into pgthreads.thread (owner_user_id, state_key)
      values (p_owner_user_id, v_key)
      on conflict (owner_user_id, state_key) do nothing
      returning * into v_thread;
      exit when found;
    else
      exit;
    end if;
  end loop;
  v_count := coalesce(v_thread.message_count, 0);
  if v_thread.deleted_at is not null then
    raise exception 'the thread is deleted' using
      errcode = 'THDEL',
      detail = format('Thread %s was deleted at %s.', v_key, v_thread.deleted_at),
      hint = 'Start a new thread.';
  end if;

  if v_count > 0 and v_ids <> '{}' then
    for v_index in 1..cardinality(v_ids) loop
      select m.message::text into v_text
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = v_key
        and m.message_id = v_ids[v_index];
      if not found then
        v_new_ids := array_append(v_new_ids, v_ids[v_index]);
        v_new_texts := array_append(v_new_texts, v_texts[v_index]);
      elsif v_text <> v_texts[v_index] and v_text::jsonb <> v_texts[v_index]::jsonb then
        raise exception 'this message id is stored with other content' using
          errcode = 'THDUP',
          detail = format('Thread %s holds a different message %L.', v_key, v_ids[v_index]),
          hint = 'Messages never change: append a new message with a new id.';
      end if;
    end loop;
    if v_new_ids = '{}' then
      return query select v_key, v_count, 0;
      return;
    end if;
    v_ids := v_new_ids;
    v_texts := v_new_texts;
  end if;

  if p_expected_count <> v_count then
    raise exception 'the thread has changed' using
      errcode = 'THCNT',
      detail = format('Thread %s has %s messages, expected were %s.', v_key,
        v_count, p_expected_count),
      hint = 'Load the thread again and decide anew.';
  end if;

  select n.* into v_turn
  from pgthreads.turn as n
  where n.owner_user_id = p_owner_user_id and n.state_key = v_key and n.status = 'running';
  if p_turn_id is not null then
    if v_turn.turn_id is distinct from p_turn_id or v_turn.lease_until <= clock_timestamp() then
      raise exception 'this turn has lost its lease' using
        errcode = 'THLST',
        detail = format('Turn %s of thread %s does not run%s.', p_turn_id, v_key,
          case when v_turn.turn_id = p_turn_id
            then format(' since %s', v_turn.lease_until) else '' end),
        hint = 'Call extend_turn: it tells whether the turn can still be taken back.';
    end if;
  elsif v_turn.turn_id is not null then
    -- Once more under a lock: a heartbeat may have extended the lease.
    select n.* into v_turn
    from pgthreads.turn as n
    where n.owner_user_id = p_owner_user_id and n.state_key = v_key and n.status = 'running'
    for update;
    if v_turn.lease_until > clock_timestamp() then
      raise exception 'a turn is running' using
        errcode = 'THTRN',
        detail = format('Turn %s of thread %s runs until %s at least.', v_turn.turn_id, v_key,
          v_turn.lease_until),
        hint = 'Wait for its end, or ask it to stop with request_stop.';
    end if;
    update pgthreads.turn as n
    set status = 'abandoned', finished_at = clock_timestamp()
    where n.owner_user_id = p_owner_user_id
      and n.state_key = v_key
      and n.turn_id = v_turn.turn_id;
  end if;

  if v_count + cardinality(v_ids) > v_config.max_messages then
    raise exception 'the thread is full' using
      errcode = 'THMAX',
      detail = format('Thread %s has %s messages, the limit is %s.', v_key,
        v_count, v_config.max_messages),
      hint = 'Start a new thread.';
  end if;

  v_digest := v_thread.head_digest;
  foreach v_text in array v_texts loop
    v_digest := sha256(v_digest || convert_to(v_text, 'UTF8'));
    v_digests := array_append(v_digests, v_digest);
  end loop;
  if v_thread.title is null and (
    v_count = 0
    or not exists (
      select
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = v_key
        and m.message ->> 'role' = 'user'
    )
  ) then
    v_title := pgthreads.message_title(v_texts);
  end if;
  if v_ids <> '{}' or p_metadata is not null then
    update pgthreads.thread as t
    set message_count = t.message_count + cardinality(v_ids),
      head_digest = v_digest,
      title = coalesce(t.title, v_title),
      metadata = case
        when p_metadata is null then t.metadata
        else pgthreads.merge_metadata(t.metadata, p_metadata)
      end,
      updated_at = clock_timestamp()
    where t.owner_user_id = p_owner_user_id and t.state_key = v_key;
    insert into pgthreads.message
      (owner_user_id, state_key, seq, message_id, message, digest)
    select p_owner_user_id, v_key, v_count + u.place, u.id, u.body::json, u.digest
    from unnest(v_ids, v_texts, v_digests) with ordinality as u (id, body, digest, place);
  end if;
  return query select v_key, v_count + cardinality(v_ids), cardinality(v_ids);
end;
$$;

comment on function pgthreads.append_thread(text, text, jsonb, int, text, jsonb) is
  'Appends UIMessages under the thread''s lock, after redaction; creates the thread if it is new.';
revoke all on function pgthreads.append_thread(text, text, jsonb, int, text, jsonb) from public;
grant execute on function pgthreads.append_thread(text, text, jsonb, int, text, jsonb)
  to pgthreads_server;

-- Starts a turn: appends the user message, takes the lease and returns the history for the prompt, in
-- one call that commits before the model is asked. Keeps ONE_TURN_PER_THREAD, EXACTLY_ONCE and
-- CLIENT_SENDS_USER_ONLY. Locks: the thread's row, then a turn's row.
--
-- A message id that is stored already starts nothing twice:
--   running   its turn runs (under the returned turn id)
--   answered  its answer is stored (returned in answer)
--   started   nothing answered it and nothing came after it: a new turn begins. Also the repetition
--             of this very call, with the same turn id.

create or replace function pgthreads.begin_turn(
  p_owner_user_id text,
  p_state_key text,
  p_message jsonb,
  p_turn_id text,
  p_last int default null,
  p_metadata jsonb default null
)
returns table (
  outcome text,
  state_key text,
  turn_id text,
  message_count int,
  lease_until timestamptz,
  max_message_bytes int,
  history json,
  answer json
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_config pgthreads.config;
  v_message jsonb;
  v_appended record;
  v_seq int;
  v_answer json;
  v_turn pgthreads.turn;
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  if p_turn_id is null or char_length(p_turn_id) not between 1 and 128 then
    raise exception 'not a turn id' using
      errcode = 'invalid_parameter_value',
      detail = 'A turn id has 1 to 128 characters.',
      hint = 'Make one with new_state_key().';
  end if;
  perform pgthreads.require_window(p_last, null);
  v_message := pgthreads.require_user_message(p_message);

  select a.* into strict v_appended
  from pgthreads.append_thread(
    p_owner_user_id, p_state_key, jsonb_build_array(v_message), null, null, p_metadata) as a;
  v_seq := v_appended.message_count;
  select c.* into strict v_config from pgthreads.config as c;
  if v_appended.appended = 1 and v_seq >= v_config.max_messages then
    raise exception 'the thread has no room for an answer' using
      errcode = 'THMAX',
      detail = format('Thread %s would have %s messages with this one, the limit is %s.',
        v_appended.state_key, v_seq, v_config.max_messages),
      hint = 'Start a new thread.';
  end if;

  if v_appended.appended = 0 then
    select m.seq into strict v_seq
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = v_appended.state_key
      and m.message_id = v_message ->> 'id';
    select n.* into v_turn
    from pgthreads.turn as n
    where n.owner_user_id = p_owner_user_id
      and n.state_key = v_appended.state_key
      and n.status = 'running'
    for update;
    if v_turn.user_seq = v_seq and v_turn.lease_until > clock_timestamp() then
      return query select
        case when v_turn.turn_id = p_turn_id then 'started' else 'running' end,
        v_appended.state_key, v_turn.turn_id, v_appended.message_count, v_turn.lease_until,
        v_config.max_message_bytes,
        case when v_turn.turn_id = p_turn_id then pgthreads.load_thread(
          p_owner_user_id, v_appended.state_key, p_last, v_appended.message_count + 1) end,
        null::json;
      return;
    end if;
    select m.message into v_answer
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = v_appended.state_key
      and m.seq = v_seq + 1
      and m.message ->> 'role' = 'assistant';
    if found then
      return query select
        'answered', v_appended.state_key, null::text, v_appended.message_count, null::timestamptz,
        null::int, null::json, v_answer;
      return;
    end if;
    if v_seq < v_appended.message_count then
      raise exception 'this message was not answered, and others came after it' using
        errcode = 'THDUP',
        detail = format('Message %L of thread %s is number %s of %s.', v_message ->> 'id',
          v_appended.state_key, v_seq, v_appended.message_count),
        hint = 'Send it again with a new id.';
    end if;
    if v_turn.lease_until > clock_timestamp() then
      raise exception 'a turn is running' using
        errcode = 'THTRN',
        detail = format('Turn %s of thread %s runs until %s at least.', v_turn.turn_id,
          v_appended.state_key, v_turn.lease_until),
        hint = 'Wait for its end, or ask it to stop with request_stop.';
    end if;
    if v_turn.turn_id is not null then
      update pgthreads.turn as n
      set status = 'abandoned', finished_at = clock_timestamp()
      where n.owner_user_id = p_owner_user_id
        and n.state_key = v_appended.state_key
        and n.turn_id = v_turn.turn_id;
    end if;
  end if;

  insert into pgthreads.turn as n (owner_user_id, state_key, turn_id, lease_until, user_seq)
  values (
    p_owner_user_id, v_appended.state_key, p_turn_id, clock_timestamp() + v_config.lease, v_seq
  )
  on conflict on constraint turn_pkey do nothing
  returning n.* into v_turn;
  if not found then
    raise exception 'this turn id was used before' using
      errcode = 'invalid_parameter_value',
      detail = format('Thread %s has a turn %s that has ended.', v_appended.state_key, p_turn_id),
      hint = 'Make a new one with new_state_key().';
  end if;
  return query select
    'started', v_appended.state_key, v_turn.turn_id, v_appended.message_count,
    v_turn.lease_until, v_config.max_message_bytes,
    pgthreads.load_thread(
      p_owner_user_id, v_appended.state_key, p_last, v_appended.message_count + 1),
    null::json;
end;
$$;

comment on function pgthreads.begin_turn(text, text, jsonb, text, int, jsonb) is
  'Appends the user message, takes the lease of a turn and returns the history for the prompt.';
revoke all on function pgthreads.begin_turn(text, text, jsonb, text, int, jsonb) from public;
grant execute on function pgthreads.begin_turn(text, text, jsonb, text, int, jsonb)
  to pgthreads_server;

-- JSON text to jsonb, also where jsonb would refuse it: U+0000 and lone surrogates, which models and
-- tools do produce, become U+FFFD. The text is read escape by escape from the left, so that an
-- escaped backslash in front of a `u` is not taken for an escape.

create or replace function pgthreads.clean_json(p_text text)
returns jsonb
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case
    when strpos(p_text, '\u') = 0 then p_text::jsonb
    when p_text !~* '\\u(0000|d[89a-f])' then p_text::jsonb
    else (
      select string_agg(
        case
          when t.token[1] ~ '^\\u(0000|[dD][89abAB].{2}$|[dD][c-fC-F])' then '\ufffd'
          else t.token[1]
        end, '' order by t.ordinality)::jsonb
      from regexp_matches(
        p_text,
        '\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}'
        || '|\\u[0-9a-fA-F]{4}|\\.|[^\\]+|\\',
        'g') with ordinality as t (token, ordinality)
    )
  end;
$$;

comment on function pgthreads.clean_json(text) is
  'JSON text to jsonb, with U+FFFD for U+0000 and lone surrogates.';
revoke all on function pgthreads.clean_json(text) from public;
grant execute on function pgthreads.clean_json(text) to pgthreads_server;

-- The tenant of this transaction. After a `set local` has ended the setting reads as the empty
-- string, which means no tenant just as null does.

create or replace function pgthreads.current_tenant()
returns text
language sql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select nullif(current_setting('app.current_user_id', true), '');
$$;

comment on function pgthreads.current_tenant() is
  'The tenant of this transaction, null if none is set.';
revoke all on function pgthreads.current_tenant() from public;
grant execute on function pgthreads.current_tenant() to pgthreads_server;

-- A turn's heartbeat: extends the lease and tells whether somebody asked for a stop. A lease that ran
-- out can be had back as long as nobody took the thread over. Locks: the turn's row.

create or replace function pgthreads.extend_turn(
  p_owner_user_id text,
  p_state_key text,
  p_turn_id text
)
returns table (alive boolean, stop_requested boolean, lease_until timestamptz)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  return query
    update pgthreads.turn as n
    set lease_until = clock_timestamp() + c.lease
    from pgthreads.config as c
    where n.owner_user_id = p_owner_user_id
      and n.state_key = p_state_key
      and n.turn_id = p_turn_id
      and n.status = 'running'
    returning true, n.stop_requested_at is not null, n.lease_until;
  if not found then
    return query select false, false, null::timestamptz;
  end if;
end;
$$;

comment on function pgthreads.extend_turn(text, text, text) is
  'Extends the turn''s lease; tells whether it is still the caller''s and should stop.';
revoke all on function pgthreads.extend_turn(text, text, text) from public;
grant execute on function pgthreads.extend_turn(text, text, text) to pgthreads_server;

-- Ends a turn, with what it used: in the transaction that appended its answer, so that both are there
-- or neither. Repeating it with the same status changes nothing, so usage is recorded once.
-- Locks: the thread's row, then the turn's.

create or replace function pgthreads.finish_turn(
  p_owner_user_id text,
  p_state_key text,
  p_turn_id text,
  p_status text,
  p_usage jsonb default null,
  p_error_code text default null
)
returns table (turn_id text, status text, assistant_message_id text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_count int;
  v_turn pgthreads.turn;
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  if p_status is null or p_status not in ('completed', 'stopped', 'failed') then
    raise exception 'not a status that a turn can end with' using
      errcode = 'invalid_parameter_value',
      detail = format('p_status is %s.', coalesce(quote_literal(left(p_status, 80)), 'null')),
      hint = 'A turn ends completed, stopped or failed.';
  end if;
  select t.message_count into v_count
  from pgthreads.thread as t
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key
  for update;
  update pgthreads.turn as n
  set status = p_status,
    usage = p_usage,
    error_code = left(p_error_code, 200),
    finished_at = clock_timestamp(),
    assistant_message_id = (
      select m.message_id
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.seq = v_count
        and m.seq > n.user_seq
        and m.message ->> 'role' = 'assistant'
    )
  where n.owner_user_id = p_owner_user_id
    and n.state_key = p_state_key
    and n.turn_id = p_turn_id
    and n.status = 'running'
  returning n.* into v_turn;
  if not found then
    select n.* into v_turn
    from pgthreads.turn as n
    where n.owner_user_id = p_owner_user_id
      and n.state_key = p_state_key
      and n.turn_id = p_turn_id;
    if v_turn.status is distinct from p_status then
      raise exception 'this turn does not run' using
        errcode = 'THLST',
        detail = format('Turn %s of thread %s is %s.', p_turn_id, p_state_key,
          coalesce(v_turn.status, 'unknown')),
        hint = 'A turn ends once.';
    end if;
  end if;
  return query select v_turn.turn_id, v_turn.status, v_turn.assistant_message_id;
end;
$$;

comment on function pgthreads.finish_turn(text, text, text, text, jsonb, text) is
  'Ends the turn and records its usage; call it in the transaction that appends the answer.';
revoke all on function pgthreads.finish_turn(text, text, text, text, jsonb, text) from public;
grant execute on function pgthreads.finish_turn(text, text, text, text, jsonb, text)
  to pgthreads_server;

-- Whether every number in a JSON value is one that a double can hold and that is about as long in
-- jsonb's text as where it came from: 1e131000 or 0e-16000 become a text of many thousand digits, so
-- that a small message could take a gigabyte of memory. The first path finds what is worth a look,
-- and runs in C.

create or replace function pgthreads.has_plain_numbers(p_value jsonb)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if not jsonb_path_exists(p_value, 'strict $.** ? (@.type() == "number"
    && (@ > 1e300 || @ < -1e300 || (@ > -1e-300 && @ < 1e-300)))') then
    return true;
  end if;
  return not exists (
    select
    from jsonb_path_query(p_value, 'strict $.** ? (@.type() == "number")') as n (value)
    where abs(n.value::numeric) > 1.7976931348623157e308 or scale(n.value::numeric) > 400
  );
end;
$$;

comment on function pgthreads.has_plain_numbers(jsonb) is
  'Whether a double can hold every number in the value, and none has over 400 decimal places.';
revoke all on function pgthreads.has_plain_numbers(jsonb) from public;
grant execute on function pgthreads.has_plain_numbers(jsonb) to pgthreads_server;

-- Whether a text, without its spaces, is an IBAN by its check digits (ISO 13616, modulo 97).

create or replace function pgthreads.is_iban(p_text text)
returns boolean
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select replace(p_text, ' ', '') ~ '^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$'
    and (
      select string_agg(
        case when c.sign ~ '[A-Z]' then (ascii(c.sign) - 55)::text else c.sign end,
        '' order by c.place)::numeric % 97 = 1
      from regexp_split_to_table(
        substr(replace(p_text, ' ', ''), 5) || left(replace(p_text, ' ', ''), 4), '')
        with ordinality as c (sign, place)
    );
$$;

comment on function pgthreads.is_iban(text) is
  'Whether the text is an IBAN with right check digits.';
revoke all on function pgthreads.is_iban(text) from public;
grant execute on function pgthreads.is_iban(text) to pgthreads_server;

-- Whether the digits of a text have a right check digit by Luhn's formula (ISO/IEC 7812-1).

create or replace function pgthreads.is_luhn(p_text text)
returns boolean
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(sum(
    case
      when d.place % 2 = 1 then d.digit::int
      else d.digit::int * 2 - case when d.digit::int > 4 then 9 else 0 end
    end) % 10 = 0, false)
  from regexp_split_to_table(reverse(regexp_replace(p_text, '[^0-9]', '', 'g')), '')
    with ordinality as d (digit, place)
  where d.digit <> '';
$$;

comment on function pgthreads.is_luhn(text) is
  'Whether the digits of the text pass the Luhn check.';
revoke all on function pgthreads.is_luhn(text) from public;
grant execute on function pgthreads.is_luhn(text) to pgthreads_server;

-- Whether a value is a UIMessage: ui_message_fault() has the rules.

create or replace function pgthreads.is_ui_message(p_message jsonb)
returns boolean
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select pgthreads.ui_message_fault(p_message) is null;
$$;

comment on function pgthreads.is_ui_message(jsonb) is
  'Whether the value is a UIMessage that validateUIMessages of the AI SDK accepts.';
revoke all on function pgthreads.is_ui_message(jsonb) from public;
grant execute on function pgthreads.is_ui_message(jsonb) to pgthreads_server;

-- Whether a browser's `new URL(text)` takes it: convertToModelMessages of the AI SDK calls that on
-- the url of a file part and throws. Stricter than the URL standard where that is simpler.

create or replace function pgthreads.is_url(p_text text)
returns boolean
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(case
    when p_text ~* '^data:' then true
    when p_text ~* '^(https?|wss?|ftp):' then
      p_text ~* ('^[a-z]+://([^/?#\\\s]*@)?'
        || '(\[[0-9a-f:]*:[0-9a-f:]*(\.[0-9]{1,3}){0,3}\]'
        || '|((25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])'
        || '|(?!xn--)(([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)\.)*(?!xn--)[a-z_]([a-z0-9_-]*[a-z0-9_])?\.?)'
        || '(:(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5]?[0-9]{1,4}))?'
        || '([/?#].*)?$')
    else p_text ~* '^[a-z][a-z0-9+.-]*:[^/\s]'
  end, false);
$$;

comment on function pgthreads.is_url(text) is
  'Whether the text is an absolute URL that new URL() of a browser takes.';
revoke all on function pgthreads.is_url(text) from public;
grant execute on function pgthreads.is_url(text) to pgthreads_server;

-- An owner's threads, the latest append first, by keyset: next_cursor, on the last row of a page that
-- is not the last page, is what the next call passes as p_cursor. Reads headers and running turns,
-- never messages.

create or replace function pgthreads.list_threads(
  p_owner_user_id text,
  p_limit int default 50,
  p_cursor text default null
)
returns table (
  state_key text,
  title text,
  message_count int,
  metadata jsonb,
  created_at timestamptz,
  updated_at timestamptz,
  running boolean,
  next_cursor text
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_cursor text[] := regexp_match(p_cursor, '^([0-9]{1,18})\.([a-zA-Z0-9_-]{1,128})$');
  -- A variable, because an expression that can fail is no index condition under row level security.
  v_updated_at timestamptz := coalesce(
    timestamptz 'epoch' + make_interval(secs => v_cursor[1]::bigint / 1000000)
      + (v_cursor[1]::bigint % 1000000) * interval '1 microsecond',
    'infinity');
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  if p_limit is null or p_limit not between 1 and 200 then
    raise exception 'not a page size' using
      errcode = 'invalid_parameter_value',
      detail = format('p_limit is %s.', coalesce(p_limit::text, 'null')),
      hint = 'A page has 1 to 200 threads.';
  end if;
  if p_cursor is not null and v_cursor is null then
    raise exception 'not a cursor of list_threads' using
      errcode = 'invalid_parameter_value',
      detail = format('p_cursor is %L.', left(p_cursor, 160)),
      hint = 'Pass the next_cursor of the page before, or null for the first page.';
  end if;
  return query
    select p.state_key, p.title, p.message_count, p.metadata, p.created_at, p.updated_at,
      exists (
        select
        from pgthreads.turn as n
        where n.owner_user_id = p.owner_user_id
          and n.state_key = p.state_key
          and n.status = 'running'
          and n.lease_until > clock_timestamp()
      ),
      case
        when p.place = p_limit and p.has_next then format('%s.%s',
          (extract(epoch from p.updated_at) * 1000000)::bigint, p.state_key)
      end
    from (
      select t.*, row_number() over newest as place,
        lead(true, 1, false) over newest as has_next
      from pgthreads.thread as t
      where t.owner_user_id = p_owner_user_id
        and t.deleted_at is null
        and t.updated_at <= v_updated_at
        and (t.updated_at < v_updated_at or t.state_key < v_cursor[2])
      window newest as (order by t.updated_at desc, t.state_key desc)
      order by t.updated_at desc, t.state_key desc
      limit p_limit + 1
    ) as p
    where p.place <= p_limit
    order by p.place;
end;
$$;

comment on function pgthreads.list_threads(text, int, text) is
  'A page of the owner''s threads, the latest append first, without their messages.';
revoke all on function pgthreads.list_threads(text, int, text) from public;
grant execute on function pgthreads.list_threads(text, int, text) to pgthreads_server;

-- A thread's messages as one json value, oldest first; the window is that of read_messages().
-- json_agg copies the stored bytes, it does not parse them.

create or replace function pgthreads.load_thread(
  p_owner_user_id text,
  p_state_key text,
  p_last int default null,
  p_before_seq int default null
)
returns json
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_before int;
  v_first int;
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  perform pgthreads.require_state_key(p_state_key);
  perform pgthreads.require_window(p_last, p_before_seq);
  select least(p_before_seq, t.message_count + 1) into v_before
  from pgthreads.thread as t
  where t.owner_user_id = p_owner_user_id
    and t.state_key = p_state_key
    and t.deleted_at is null;
  -- A variable, because an expression that can fail is no index condition under row level security.
  v_first := coalesce(v_before - p_last, 1);
  return (
    select coalesce(json_agg(s.message), '[]')
    from (
      select m.message
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.seq >= v_first
        and m.seq < v_before
      order by m.seq
    ) as s
  );
end;
$$;

comment on function pgthreads.load_thread(text, text, int, int) is
  'The thread''s UIMessage[] as one json value, [] if there is none; a window of it on request.';
revoke all on function pgthreads.load_thread(text, text, int, int) from public;
grant execute on function pgthreads.load_thread(text, text, int, int) to pgthreads_server;

-- A thread's metadata with the keys of another object laid over it, redacted.

create or replace function pgthreads.merge_metadata(p_metadata jsonb, p_changes jsonb)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_limit constant int := 65536;
  v_metadata jsonb;
begin
  if jsonb_typeof(p_changes) is distinct from 'object' then
    raise exception 'metadata of a thread is an object' using
      errcode = 'THMSG',
      detail = format('p_metadata is of type %s.', jsonb_typeof(p_changes)),
      hint = 'Pass a jsonb object, or null to leave it as it is.';
  end if;
  if not pgthreads.has_plain_numbers(p_changes) then
    raise exception 'a number in the metadata is too large or too long' using
      errcode = 'THMSG',
      detail = 'p_metadata has a number that a double cannot hold, or with over 400 decimal places.',
      hint = 'Pass such a number as a string.';
  end if;
  v_metadata := p_metadata || pgthreads.redact_json(p_changes);
  if octet_length(v_metadata::text) > v_limit then
    raise exception 'the metadata is too large' using
      errcode = 'THMAX',
      detail = format('It would have %s bytes, the limit is %s.',
        octet_length(v_metadata::text), v_limit),
      hint = 'Keep large values in a table of your own that refers to thread.id.';
  end if;
  return v_metadata;
end;
$$;

comment on function pgthreads.merge_metadata(jsonb, jsonb) is
  'The first object with the redacted keys of the second laid over it; at most 64 KiB.';
revoke all on function pgthreads.merge_metadata(jsonb, jsonb) from public;

-- A title for a thread that has none: the start of its first user message, which is redacted already.

create or replace function pgthreads.message_title(p_messages text[])
returns text
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select nullif(btrim(left(regexp_replace(btrim(left(p.part ->> 'text', 400)), '\s+', ' ', 'g'), 80)), '')
  from unnest(p_messages) with ordinality as m (body, place)
  cross join jsonb_array_elements(m.body::jsonb -> 'parts') with ordinality as p (part, place)
  where m.body::jsonb ->> 'role' = 'user' and p.part ->> 'type' = 'text'
  order by m.place, p.place
  limit 1;
$$;

comment on function pgthreads.message_title(text[]) is
  'The first 80 characters of the first user text in these messages; null if there is none.';
revoke all on function pgthreads.message_title(text[]) from public;

-- A nanoid: 21 characters of the url alphabet, 126 random bits. The bits come from two version 4
-- UUIDs, whose generator is the server's strong random source; of each the bytes with the fixed
-- version and variant bits are left out.

create or replace function pgthreads.new_state_key()
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_alphabet constant text := '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-';
  v_first bytea := uuid_send(gen_random_uuid());
  v_second bytea := uuid_send(gen_random_uuid());
  v_bytes bytea := substr(v_first, 1, 6) || substr(v_first, 10, 7)
    || substr(v_second, 1, 6) || substr(v_second, 10, 2);
  v_key text := '';
begin
  for v_index in 0..20 loop
    v_key := v_key || substr(v_alphabet, (get_byte(v_bytes, v_index) & 63) + 1, 1);
  end loop;
  return v_key;
end;
$$;

comment on function pgthreads.new_state_key() is
  'A new state key: a nanoid of 21 characters.';
revoke all on function pgthreads.new_state_key() from public;
grant execute on function pgthreads.new_state_key() to pgthreads_server;

-- A thread's messages as rows, oldest first; none for a thread that does not exist or is deleted.
-- p_last and p_before_seq cut out a window: the last so many before that seq. Since seq has no gaps
-- the window is a range of the primary key.

create or replace function pgthreads.read_messages(
  p_owner_user_id text,
  p_state_key text,
  p_last int default null,
  p_before_seq int default null
)
returns table (seq int, message json)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_before int;
  v_first int;
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  perform pgthreads.require_state_key(p_state_key);
  perform pgthreads.require_window(p_last, p_before_seq);
  select least(p_before_seq, t.message_count + 1) into v_before
  from pgthreads.thread as t
  where t.owner_user_id = p_owner_user_id
    and t.state_key = p_state_key
    and t.deleted_at is null;
  -- A variable, because an expression that can fail is no index condition under row level security.
  v_first := coalesce(v_before - p_last, 1);
  return query
    select m.seq, m.message
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = p_state_key
      and m.seq >= v_first
      and m.seq < v_before
    order by m.seq;
end;
$$;

comment on function pgthreads.read_messages(text, text, int, int) is
  'The thread''s messages as rows (seq, message), oldest first; a window of them on request.';
revoke all on function pgthreads.read_messages(text, text, int, int) from public;
grant execute on function pgthreads.read_messages(text, text, int, int) to pgthreads_server;

-- A thread with its header: what a page needs to show it, in one round trip. No row for a thread that
-- does not exist or is deleted. With p_known_digest, messages is null if that is still the digest of
-- the last message: the caller has them.

create or replace function pgthreads.read_thread(
  p_owner_user_id text,
  p_state_key text,
  p_last int default null,
  p_before_seq int default null,
  p_known_digest text default null
)
returns table (
  state_key text,
  title text,
  message_count int,
  metadata jsonb,
  created_at timestamptz,
  updated_at timestamptz,
  digest text,
  messages json
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  perform pgthreads.require_state_key(p_state_key);
  perform pgthreads.require_window(p_last, p_before_seq);
  return query
    select t.state_key, t.title, t.message_count, t.metadata, t.created_at, t.updated_at,
      encode(t.head_digest, 'hex'),
      case
        when encode(t.head_digest, 'hex') is distinct from p_known_digest
          then pgthreads.load_thread(t.owner_user_id, t.state_key, p_last, p_before_seq)
      end
    from pgthreads.thread as t
    where t.owner_user_id = p_owner_user_id
      and t.state_key = p_state_key
      and t.deleted_at is null;
end;
$$;

comment on function pgthreads.read_thread(text, text, int, int, text) is
  'The thread''s header with its UIMessage[] as one json value; no row if there is none.';
revoke all on function pgthreads.read_thread(text, text, int, int, text) from public;
grant execute on function pgthreads.read_thread(text, text, int, int, text) to pgthreads_server;

-- Every string in a JSON value through redact_text(), at any depth. Works on the tokens of the
-- canonical text and not by recursion, so that depth costs no stack; a string in front of a colon is
-- a key and stays. Each string is decoded before a rule sees it.

create or replace function pgthreads.redact_json(p_value jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_screen text := (select c.redaction_screen from pgthreads.config as c);
  v_text text := p_value::text;
begin
  if v_screen is null or v_text !~ v_screen then
    return p_value;
  end if;
  return (
    select string_agg(
      case
        when t.token[1] is null then t.token[2]
        when t.token[1] !~ v_screen then t.token[1]
        else to_jsonb(pgthreads.redact_text(t.token[1]::jsonb #>> '{}'))::text
      end, '' order by t.place)::jsonb
    from regexp_matches(
      v_text, '("(?:[^"\\]|\\.)*")(?!:)|("(?:[^"\\]|\\.)*":|[^"]+)', 'g')
      with ordinality as t (token, place)
  );
end;
$$;

comment on function pgthreads.redact_json(jsonb) is
  'The value with redact_text applied to each of its strings; keys stay.';
revoke all on function pgthreads.redact_json(jsonb) from public;
grant execute on function pgthreads.redact_json(jsonb) to pgthreads_server;

-- A match of a rule with a verifier: its longest run of words from the start that passes is replaced,
-- the rest kept. What the match has in front of the number (see the rules' <start>) is kept too.

create or replace function pgthreads.redact_match(
  p_match text,
  p_verifier text,
  p_replacement text
)
returns text
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_front text := substring(p_match from case p_verifier when 'iban' then '^[^A-Z]*' else '^[^0-9]*' end);
  v_number text := substr(p_match, char_length(v_front) + 1);
  v_head text := v_number;
begin
  while v_head <> '' loop
    if (p_verifier = 'luhn' and pgthreads.is_luhn(v_head))
      or (p_verifier = 'iban' and pgthreads.is_iban(v_head)) then
      return v_front || p_replacement || substr(v_number, char_length(v_head) + 1);
    end if;
    v_head := case when p_verifier = 'iban' then regexp_replace(v_head, ' ?[^ ]*$', '') else '' end;
  end loop;
  return p_match;
end;
$$;

comment on function pgthreads.redact_match(text, text, text) is
  'The match with the words replaced that pass the verifier (luhn or iban).';
revoke all on function pgthreads.redact_match(text, text, text) from public;

-- A UIMessage without secrets: REDACT_BEFORE_PERSIST. Ids, types and states are left alone, and so is
-- the body of a data URL; every other string goes through redact_text(). A message that the screen
-- finds clean comes back as it is.

create or replace function pgthreads.redact_message(p_message jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_kept constant text[] := array[
    'id', 'type', 'state', 'toolCallId', 'toolName', 'mediaType', 'sourceId', 'preliminary',
    'providerExecuted'];
  v_screen text := (select c.redaction_screen from pgthreads.config as c);
begin
  if v_screen is null or (p_message - 'id')::text !~ v_screen then
    return p_message;
  end if;
  return p_message
    || pgthreads.redact_json(p_message - array['id', 'role', 'parts'])
    || (
      select jsonb_build_object('parts', coalesce(jsonb_agg(
        e.part || pgthreads.redact_json(
          e.part - v_kept - case when e.part ->> 'url' ilike 'data:%' then 'url' else '' end)
          || case
            when jsonb_typeof(e.part -> 'approval') = 'object' then jsonb_build_object(
              'approval',
              (e.part -> 'approval') || pgthreads.redact_json((e.part -> 'approval') - 'id'))
            else '{}'
          end
        order by e.place), '[]'))
      from jsonb_array_elements(p_message -> 'parts') with ordinality as e (part, place)
    );
end;
$$;

comment on function pgthreads.redact_message(jsonb) is
  'The UIMessage with everything replaced that an enabled redaction rule finds.';
revoke all on function pgthreads.redact_message(jsonb) from public;
grant execute on function pgthreads.redact_message(jsonb) to pgthreads_server;

-- One decoded string through all enabled rules, in their order. A rule with a verifier replaces only
-- the matches that pass it; a match of several words may have swallowed too much, so words are given
-- back from its end until the rest passes.

create or replace function pgthreads.redact_text(p_text text)
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_rule record;
  v_text text := p_text;
begin
  for v_rule in
    select r.pattern, r.replacement, r.verifier
    from pgthreads.redaction_rule as r
    where r.enabled
    order by r.ordering, r.name
  loop
    if v_rule.verifier is null then
      v_text := regexp_replace(v_text, v_rule.pattern, v_rule.replacement, 'g');
    elsif v_text ~ v_rule.pattern then
      select string_agg(
        s.piece || coalesce(pgthreads.redact_match(m.found[1], v_rule.verifier, v_rule.replacement), ''),
        '' order by s.place)
      into v_text
      from regexp_split_to_table(v_text, v_rule.pattern) with ordinality as s (piece, place)
      left join regexp_matches(v_text, v_rule.pattern, 'g') with ordinality as m (found, place)
        on m.place = s.place;
    end if;
  end loop;
  return v_text;
end;
$$;

comment on function pgthreads.redact_text(text) is
  'The text with everything replaced that an enabled redaction rule finds.';
revoke all on function pgthreads.redact_text(text) from public;
grant execute on function pgthreads.redact_text(text) to pgthreads_server;

-- Keeps config.redaction_screen: the screens of all enabled rules as one expression, so that a clean
-- message costs one scan.

create or replace function pgthreads.refresh_redaction_screen()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pgthreads.redact_text('');
  update pgthreads.config as c
  set redaction_screen = s.screen
  from (
    select string_agg(r.screen, '|' order by r.ordering, r.name) as screen
    from pgthreads.redaction_rule as r
    where r.enabled
  ) as s
  where c.redaction_screen is distinct from s.screen;
  perform '' ~ c.redaction_screen from pgthreads.config as c;
  return null;
end;
$$;

comment on function pgthreads.refresh_redaction_screen() is
  'Trigger of redaction_rule: joins the screens; refuses a rule whose expressions do not compile.';
revoke all on function pgthreads.refresh_redaction_screen() from public;

-- Trigger behind the privileges and policies, for owners and superusers: MESSAGES_GROW_ONLY. Only
-- the maintenance role deletes, and nobody updates or truncates.

create or replace function pgthreads.refuse_change()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'DELETE' and current_user = 'pgthreads_maintenance' then
    return null;
  end if;
  raise exception 'messages are never changed or removed' using
    errcode = 'insufficient_privilege',
    detail = format('%s on %I.%I by %I.', tg_op, tg_table_schema, tg_table_name, current_user),
    hint = 'Append with pgthreads.append_thread; purge deleted threads with the maintenance role.';
end;
$$;

comment on function pgthreads.refuse_change() is
  'Trigger of message: refuses UPDATE, TRUNCATE, and DELETE by any role but maintenance.';
revoke all on function pgthreads.refuse_change() from public;

-- Asks the running turn, on whichever server, to stop: its next heartbeat tells it. Returns its id,
-- null if nothing runs. Locks: the turn's row.

create or replace function pgthreads.request_stop(p_owner_user_id text, p_state_key text)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_turn_id text;
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  perform pgthreads.require_state_key(p_state_key);
  update pgthreads.turn as n
  set stop_requested_at = coalesce(n.stop_requested_at, clock_timestamp())
  where n.owner_user_id = p_owner_user_id
    and n.state_key = p_state_key
    and n.status = 'running'
    and n.lease_until > clock_timestamp()
  returning n.turn_id into v_turn_id;
  return v_turn_id;
end;
$$;

comment on function pgthreads.request_stop(text, text) is
  'Asks the running turn of the thread to stop; returns its id, null if nothing runs.';
revoke all on function pgthreads.request_stop(text, text) from public;
grant execute on function pgthreads.request_stop(text, text) to pgthreads_server;

-- For servers, at their start: refuses a session that row level security would not hold, or that
-- could write to the tables directly.

create or replace function pgthreads.require_server_role()
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_role pg_catalog.pg_roles;
  v_fault text;
begin
  select r.* into strict v_role from pg_catalog.pg_roles as r where r.rolname = current_user;
  v_fault := case
    when v_role.rolsuper then 'is a superuser'
    when v_role.rolbypassrls then 'has BYPASSRLS'
    when pg_has_role(current_user, 'pgthreads_owner', 'member') then 'is a member of pgthreads_owner'
    when pg_has_role(current_user, 'pgthreads_maintenance', 'member')
      then 'is a member of pgthreads_maintenance'
    when not pg_has_role(current_user, 'pgthreads_server', 'usage')
      then 'is not a member of pgthreads_server'
  end;
  if v_fault is not null then
    raise exception 'this role must not serve clients' using
      errcode = 'insufficient_privilege',
      detail = format('Role %I %s.', current_user, v_fault),
      hint = 'Connect as a login role of its own: create role app login in role pgthreads_server.';
  end if;
  return current_user::text;
end;
$$;

comment on function pgthreads.require_server_role() is
  'Raises insufficient_privilege unless the role is a plain member of pgthreads_server.';
revoke all on function pgthreads.require_server_role() from public;
grant execute on function pgthreads.require_server_role() to pgthreads_server;

-- Refuses what is not a state key: STATE_KEY_LIFECYCLE.

create or replace function pgthreads.require_state_key(p_state_key text)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_state_key is null or p_state_key !~ '^[a-zA-Z0-9_-]{1,128}$' then
    raise exception 'not a state key' using
      errcode = 'THKEY',
      detail = format('Got %s.', coalesce(quote_literal(left(p_state_key, 140)), 'null')),
      hint = 'A state key has 1 to 128 letters, digits, underscores and hyphens.';
  end if;
end;
$$;

comment on function pgthreads.require_state_key(text) is
  'Raises THKEY unless the argument is a state key.';
revoke all on function pgthreads.require_state_key(text) from public;
grant execute on function pgthreads.require_state_key(text) to pgthreads_server;

-- Refuses a call for an owner who is not the tenant of this transaction. Every function that takes
-- p_owner_user_id calls it first: TENANT_SCOPED.

create or replace function pgthreads.require_tenant(p_owner_user_id text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_tenant text := nullif(current_setting('app.current_user_id', true), '');
begin
  if v_tenant is null then
    raise exception 'no tenant is set' using
      errcode = 'THTEN',
      detail = 'The setting app.current_user_id is empty in this transaction.',
      hint = 'Call pgthreads.set_tenant(owner_user_id) first, in the same transaction.';
  end if;
  if p_owner_user_id is distinct from v_tenant then
    raise exception 'the owner is not the tenant of this transaction' using
      errcode = 'THTEN',
      detail = 'The argument p_owner_user_id differs from the setting app.current_user_id.',
      hint = 'Pass the owner that set_tenant returned.';
  end if;
end;
$$;

comment on function pgthreads.require_tenant(text) is
  'Raises THTEN unless the argument is the tenant of this transaction.';
revoke all on function pgthreads.require_tenant(text) from public;
grant execute on function pgthreads.require_tenant(text) to pgthreads_server;

-- Locks the row of a thread that has to exist and not be deleted.

create or replace function pgthreads.require_thread(p_owner_user_id text, p_state_key text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_deleted_at timestamptz;
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  perform pgthreads.require_state_key(p_state_key);
  select t.deleted_at into v_deleted_at
  from pgthreads.thread as t
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key
  for update;
  if not found then
    raise exception 'no such thread' using
      errcode = 'THNON',
      detail = format('The tenant has no thread %s.', p_state_key),
      hint = 'list_threads shows the tenant''s threads.';
  end if;
  if v_deleted_at is not null then
    raise exception 'the thread is deleted' using
      errcode = 'THDEL',
      detail = format('Thread %s was deleted at %s.', p_state_key, v_deleted_at),
      hint = 'Start a new thread.';
  end if;
end;
$$;

comment on function pgthreads.require_thread(text, text) is
  'Locks the tenant''s thread; raises THNON or THDEL if it is not there.';
revoke all on function pgthreads.require_thread(text, text) from public;

-- What a client may send: CLIENT_SENDS_USER_ONLY and TOOLS_ARE_SERVER_AUTHORED. Returns the message
-- with nothing but its id, role, metadata, and the text and files of its parts; a provider's options
-- that a client put next to them do not get into a prompt.

create or replace function pgthreads.require_user_message(p_message jsonb)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_fault text := pgthreads.ui_message_fault(p_message);
  v_part jsonb;
  v_place bigint;
  v_parts jsonb[] := array[]::jsonb[];
  v_blank boolean := true;
begin
  if v_fault is null and p_message ->> 'role' <> 'user' then
    v_fault := format('The role is %s.', p_message ->> 'role');
  end if;
  if v_fault is null then
    for v_part, v_place in
      select e.value, e.ordinality - 1
      from jsonb_array_elements(p_message -> 'parts') with ordinality as e (value, ordinality)
    loop
      if v_part ->> 'type' = 'text' then
        v_parts := array_append(
          v_parts, jsonb_build_object('type', 'text', 'text', v_part -> 'text'));
        v_blank := v_blank and v_part ->> 'text' ~ '^\s*$';
      elsif v_part ->> 'type' = 'file' and v_part ->> 'url' ~* '^(data|https?):' then
        v_parts := array_append(v_parts, (
          select jsonb_object_agg(f.key, f.value)
          from jsonb_each(v_part) as f
          where f.key in ('type', 'mediaType', 'url', 'filename')
        ));
        v_blank := false;
      else
        v_fault := format('parts[%s] is of type %s.', v_place, v_part ->> 'type');
        exit;
      end if;
    end loop;
  end if;
  if v_fault is null and v_blank then
    v_fault := 'There is no text and no file in it.';
  end if;
  if v_fault is not null then
    raise exception 'not a message that a user may send' using
      errcode = 'THMSG',
      detail = v_fault,
      hint = 'Send a UIMessage of role user with text parts, and file parts with data or http URLs.';
  end if;
  return jsonb_build_object('id', p_message -> 'id', 'role', 'user', 'parts', to_jsonb(v_parts))
    || case
      when p_message ? 'metadata' then jsonb_build_object('metadata', p_message -> 'metadata')
      else '{}'
    end;
end;
$$;

comment on function pgthreads.require_user_message(jsonb) is
  'The parts of a client''s user message that count; raises THMSG for anything else.';
revoke all on function pgthreads.require_user_message(jsonb) from public;

-- Refuses a window of messages that cannot be meant.

create or replace function pgthreads.require_window(p_last int, p_before_seq int)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_last < 1 or p_before_seq < 1 then
    raise exception 'not a window of messages' using
      errcode = 'invalid_parameter_value',
      detail = format('last is %s, before_seq is %s.', coalesce(p_last::text, 'null'),
        coalesce(p_before_seq::text, 'null')),
      hint = 'Both count from 1; null means no bound.';
  end if;
end;
$$;

comment on function pgthreads.require_window(int, int) is
  'Raises invalid_parameter_value unless both bounds are null or at least 1.';
revoke all on function pgthreads.require_window(int, int) from public;

-- Stores a whole UIMessage[]: appends what is new at its end. An array that is shorter than the
-- thread, or that differs in what is stored, is refused: MESSAGES_GROW_ONLY. What a caller still
-- holds as it was before redaction counts as equal. Locks: as append_thread.
-- An array that is stored as it is changes nothing and succeeds whatever count it names: it is the
-- repetition of a call whose answer got lost.

create or replace function pgthreads.save_thread(
  p_owner_user_id text,
  p_state_key text,
  p_messages jsonb,
  p_expected_count int default null,
  p_metadata jsonb default null
)
returns table (state_key text, message_count int, appended int)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_count int;
  v_deleted_at timestamptz;
  v_seq int;
  v_result record;
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  if p_messages is null or jsonb_typeof(p_messages) <> 'array' then
    raise exception 'not an array of UIMessages' using
      errcode = 'THMSG',
      detail = format('p_messages is %s.', coalesce(jsonb_typeof(p_messages), 'null')),
      hint = 'Pass the whole thread as a jsonb array.';
  end if;
  select t.message_count, t.deleted_at into v_count, v_deleted_at
  from pgthreads.thread as t
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key
  for update;
  v_count := coalesce(v_count, 0);
  if v_deleted_at is null and v_count > 0 then
    select m.seq into v_seq
    from pgthreads.message as m
    left join jsonb_array_elements(p_messages) with ordinality as e (value, place)
      on e.place = m.seq
    where m.owner_user_id = p_owner_user_id
      and m.state_key = p_state_key
      and (
        e.value is null
        or (
          m.message::jsonb <> e.value
          and case
            when pgthreads.is_ui_message(e.value)
              then m.message::jsonb <> pgthreads.redact_message(e.value)
            else true
          end
        )
      )
    order by m.seq
    limit 1;
    if v_seq is null and jsonb_array_length(p_messages) = v_count
      and (p_metadata is null or p_expected_count <> v_count) then
      return query select p_state_key, v_count, 0;
      return;
    end if;
    if p_expected_count <> v_count then
      raise exception 'the thread has changed' using
        errcode = 'THCNT',
        detail = format('Thread %s has %s messages, expected were %s.', p_state_key, v_count,
          p_expected_count),
        hint = 'Load the thread again and decide anew.';
    end if;
    if v_seq is not null then
      raise exception 'the array does not continue the thread' using
        errcode = 'THSHR',
        detail = case
          when v_seq > jsonb_array_length(p_messages)
            then format('Thread %s has %s messages, the array %s.', p_state_key, v_count,
              jsonb_array_length(p_messages))
          else format('Message %s of thread %s differs.', v_seq, p_state_key)
        end,
        hint = 'Messages never change: load the thread, push new messages, and save.';
    end if;
  end if;
  select a.* into strict v_result
  from pgthreads.append_thread(
    p_owner_user_id, p_state_key,
    (
      select coalesce(jsonb_agg(e.value order by e.place), '[]')
      from jsonb_array_elements(p_messages) with ordinality as e (value, place)
      where e.place > v_count
    ),
    p_expected_count, null, p_metadata) as a;
  if v_result.message_count <> jsonb_array_length(p_messages) then
    raise exception 'a message id stands twice in the array' using
      errcode = 'THDUP',
      detail = format('The array has %s messages, of which %s are distinct.',
        jsonb_array_length(p_messages), v_result.message_count),
      hint = 'Give every message an id of its own.';
  end if;
  return query select v_result.state_key, v_result.message_count, v_result.appended;
end;
$$;

comment on function pgthreads.save_thread(text, text, jsonb, int, jsonb) is
  'Appends what a whole UIMessage[] has beyond the thread; refuses one that is shorter or differs.';
revoke all on function pgthreads.save_thread(text, text, jsonb, int, jsonb) from public;
grant execute on function pgthreads.save_thread(text, text, jsonb, int, jsonb) to pgthreads_server;

-- Sets the tenant for the rest of this transaction and returns it, so that one statement can set it
-- and call a function laterally. By `set local` and not set_config(), because Citus sends only the
-- former on to its workers.

create or replace function pgthreads.set_tenant(p_owner_user_id text)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_owner_user_id is null or char_length(p_owner_user_id) not between 1 and 255 then
    raise exception 'not an owner id' using
      errcode = 'THTEN',
      detail = 'An owner id has 1 to 255 characters.',
      hint = 'Pass the authenticated user''s id.';
  end if;
  execute format('set local app.current_user_id = %L', p_owner_user_id);
  return p_owner_user_id;
end;
$$;

comment on function pgthreads.set_tenant(text) is
  'Sets the tenant of this transaction and returns it.';
revoke all on function pgthreads.set_tenant(text) from public;
grant execute on function pgthreads.set_tenant(text) to pgthreads_server;

-- Deletes a thread for every reader: SOFT_DELETE_DEFAULT. Its rows stay until they are purged. A
-- running turn ends as stopped, since nothing may be appended any more. Deleting twice is no error.
-- Locks: the thread's row, then its running turn's.

create or replace function pgthreads.soft_delete_thread(p_owner_user_id text, p_state_key text)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  perform pgthreads.require_thread(p_owner_user_id, p_state_key);
  update pgthreads.thread as t
  set deleted_at = clock_timestamp()
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key;
  update pgthreads.turn as n
  set status = 'stopped', error_code = 'thread_deleted', finished_at = clock_timestamp()
  where n.owner_user_id = p_owner_user_id
    and n.state_key = p_state_key
    and n.status = 'running';
  return true;
exception
  when sqlstate 'THDEL' then
    return false;
end;
$$;

comment on function pgthreads.soft_delete_thread(text, text) is
  'Deletes the thread for every reader; false if it was deleted before.';
revoke all on function pgthreads.soft_delete_thread(text, text) from public;
grant execute on function pgthreads.soft_delete_thread(text, text) to pgthreads_server;

-- What is wrong with a value that should be a UIMessage, in words, null if nothing is:
-- UIMESSAGE_IS_CONTRACT. The rules are those of the AI SDK's own schema: the types of parts, the fields
-- of each, no null for an optional field, and of a tool call the fields that its state has. Beyond
-- them an id is not empty, and a file's url is one that convertToModelMessages can read.

create or replace function pgthreads.ui_message_fault(p_message jsonb)
returns text
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_index bigint;
  v_type jsonb;
begin
  if p_message is null or jsonb_typeof(p_message) <> 'object' then
    return 'A UIMessage is an object.';
  end if;
  if jsonb_typeof(p_message -> 'id') is distinct from 'string'
    or char_length(p_message ->> 'id') not between 1 and 256 then
    return 'id is not a string of 1 to 256 characters.';
  end if;
  if jsonb_typeof(p_message -> 'role') is distinct from 'string'
    or p_message ->> 'role' not in ('system', 'user', 'assistant') then
    return 'role is none of system, user, assistant.';
  end if;
  if jsonb_typeof(p_message -> 'parts') is distinct from 'array' then
    return 'parts is not an array.';
  end if;
  if p_message ->> 'role' <> 'assistant' and jsonb_array_length(p_message -> 'parts') = 0 then
    return format('A message of role %s has at least one part.', p_message ->> 'role');
  end if;
  -- One jsonpath a part, so that the check runs in C. Lax mode unwraps arrays, so the type of every
  -- value is asked for before the value is compared.
  select e.place - 1, e.part -> 'type' into v_index, v_type
  from jsonb_array_elements(p_message -> 'parts') with ordinality as e (part, place)
  where (jsonb_typeof(e.part) = 'object' and jsonb_path_exists(e.part, '
    $ ? (@.type.type() == "string"
      && (!exists(@.providerMetadata) || (@.providerMetadata.type() == "object"
        && !(@.providerMetadata.*.type() != "object")))
      && (
        (@.type == "text" && @.text.type() == "string"
          && (!exists(@.state) || (@.state.type() == "string"
            && (@.state == "streaming" || @.state == "done"))))
        || (@.type == "reasoning" && @.text.type() == "string"
          && (!exists(@.id) || @.id.type() == "string")
          && (!exists(@.state) || (@.state.type() == "string"
            && (@.state == "streaming" || @.state == "done"))))
        || @.type == "step-start"
        || (@.type == "file" && @.mediaType.type() == "string" && @.url.type() == "string"
          && (!exists(@.filename) || @.filename.type() == "string"))
        || (@.type == "source-url" && @.sourceId.type() == "string" && @.url.type() == "string"
          && (!exists(@.title) || @.title.type() == "string"))
        || (@.type == "source-document" && @.sourceId.type() == "string"
          && @.mediaType.type() == "string" && @.title.type() == "string"
          && (!exists(@.filename) || @.filename.type() == "string"))
        || (@.type starts with "data-" && exists(@.data)
          && (!exists(@.id) || @.id.type() == "string"))
        || (((@.type == "dynamic-tool" && @.toolName.type() == "string")
            || (@.type starts with "tool-" && @.type != "tool-"))
          && @.toolCallId.type() == "string" && @.state.type() == "string"
          && (!exists(@.title) || @.title.type() == "string")
          && (!exists(@.providerExecuted) || @.providerExecuted.type() == "boolean")
          && (!exists(@.callProviderMetadata) || (@.callProviderMetadata.type() == "object"
            && !(@.callProviderMetadata.*.type() != "object")))
          && (
            (@.state == "input-streaming" && !exists(@.output) && !exists(@.errorText)
              && !exists(@.approval))
            || (@.state == "input-available" && exists(@.input) && !exists(@.output)
              && !exists(@.errorText) && !exists(@.approval))
            || (@.state == "output-available" && exists(@.input) && exists(@.output)
              && !exists(@.errorText)
              && (!exists(@.preliminary) || @.preliminary.type() == "boolean")
              && (!exists(@.approval) || (@.approval.type() == "object"
                && @.approval.id.type() == "string"
                && @.approval.approved.type() == "boolean" && @.approval.approved == true
                && (!exists(@.approval.reason) || @.approval.reason.type() == "string"))))
            || (@.state == "output-error" && @.errorText.type() == "string" && !exists(@.output)
              && (!exists(@.approval) || (@.approval.type() == "object"
                && @.approval.id.type() == "string"
                && @.approval.approved.type() == "boolean" && @.approval.approved == true
                && (!exists(@.approval.reason) || @.approval.reason.type() == "string"))))
            || (@.state == "approval-requested" && exists(@.input) && !exists(@.output)
              && !exists(@.errorText) && @.approval.type() == "object"
              && @.approval.id.type() == "string" && !exists(@.approval.approved)
              && !exists(@.approval.reason))
            || (@.state == "approval-responded" && exists(@.input) && !exists(@.output)
              && !exists(@.errorText) && @.approval.type() == "object"
              && @.approval.id.type() == "string" && @.approval.approved.type() == "boolean"
              && (!exists(@.approval.reason) || @.approval.reason.type() == "string"))
            || (@.state == "output-denied" && exists(@.input) && !exists(@.output)
              && !exists(@.errorText) && @.approval.type() == "object"
              && @.approval.id.type() == "string"
              && @.approval.approved.type() == "boolean" && @.approval.approved == false
              && (!exists(@.approval.reason) || @.approval.reason.type() == "string"))
          ))
      ))')
    and (e.part ->> 'type' <> 'file' or pgthreads.is_url(e.part ->> 'url'))) is not true
  order by e.place
  limit 1;
  if found then
    return format('parts[%s], of type %s, is not a valid part.', v_index,
      coalesce(left(v_type::text, 80), 'nothing'));
  end if;
  if not pgthreads.has_plain_numbers(p_message) then
    return 'A number in it is too large or too long for a double.';
  end if;
  return null;
end;
$$;

comment on function pgthreads.ui_message_fault(jsonb) is
  'Says what keeps the value from being a UIMessage; null if nothing does.';
revoke all on function pgthreads.ui_message_fault(jsonb) from public;
grant execute on function pgthreads.ui_message_fault(jsonb) to pgthreads_server;

-- Renames a thread and merges keys into its metadata. Null leaves either as it is, an empty title
-- takes the title away. Does not count as activity: the thread keeps its place in the list.
-- Locks: the thread's row.

create or replace function pgthreads.update_thread(
  p_owner_user_id text,
  p_state_key text,
  p_title text default null,
  p_metadata jsonb default null
)
returns table (
  state_key text,
  title text,
  message_count int,
  metadata jsonb,
  created_at timestamptz,
  updated_at timestamptz
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_title text := btrim(pgthreads.redact_text(p_title));
begin
  perform pgthreads.require_thread(p_owner_user_id, p_state_key);
  if char_length(v_title) > 200 then
    raise exception 'the title is too long' using
      errcode = 'string_data_right_truncation',
      detail = format('It has %s characters.', char_length(v_title)),
      hint = 'A title has at most 200 characters.';
  end if;
  return query
    update pgthreads.thread as t
    set title = case when p_title is null then t.title else nullif(v_title, '') end,
      metadata = case
        when p_metadata is null then t.metadata
        else pgthreads.merge_metadata(t.metadata, p_metadata)
      end
    where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key
    returning t.state_key, t.title, t.message_count, t.metadata, t.created_at, t.updated_at;
end;
$$;

comment on function pgthreads.update_thread(text, text, text, jsonb) is
  'Renames the thread and merges keys into its metadata; null leaves either as it is.';
revoke all on function pgthreads.update_thread(text, text, text, jsonb) from public;
grant execute on function pgthreads.update_thread(text, text, text, jsonb) to pgthreads_server;

-- The read contract: a thread a row, its messages as one UIMessage[]. Runs with the rights and under
-- the policies of whoever reads it.

create or replace view pgthreads.ai_threads
with (security_invoker = true)
as
select
  t.id,
  t.owner_user_id,
  t.state_key,
  (
    select coalesce(jsonb_agg(m.message::jsonb order by m.seq), '[]'::jsonb)
    from pgthreads.message as m
    where m.owner_user_id = t.owner_user_id and m.state_key = t.state_key
  ) as messages,
  t.metadata,
  t.created_at,
  t.updated_at,
  t.deleted_at
from pgthreads.thread as t;

comment on view pgthreads.ai_threads is
  'Threads with their UIMessage[]: the read contract. Shows what the reader''s policies let through.';
revoke all on pgthreads.ai_threads from public, pgthreads_server;
grant select on pgthreads.ai_threads to pgthreads_server;

-- Limits hold no tenant's data: the owner role, and whoever it lets, changes them.

alter table pgthreads.config enable row level security;
alter table pgthreads.config force row level security;

drop policy if exists config_owner on pgthreads.config;
create policy config_owner on pgthreads.config to pgthreads_owner
  using (true)
  with check (true);

revoke all on pgthreads.config from public, pgthreads_server;

-- Row level security of message: MESSAGES_GROW_ONLY and TENANT_SCOPED. There is no policy for UPDATE
-- or DELETE, so no role but one that bypasses row level security reaches a stored row; the triggers
-- stand behind that. The server role's policy looks at the thread, because a message does not know
-- that its thread is deleted; it is for SELECT alone, so no write ever meets the subquery.

alter table pgthreads.message enable row level security;
alter table pgthreads.message force row level security;

drop policy if exists message_owner_select on pgthreads.message;
create policy message_owner_select on pgthreads.message for select to pgthreads_owner
  using (owner_user_id = nullif(current_setting('app.current_user_id', true), ''));

drop policy if exists message_owner_insert on pgthreads.message;
create policy message_owner_insert on pgthreads.message for insert to pgthreads_owner
  with check (owner_user_id = nullif(current_setting('app.current_user_id', true), ''));

drop policy if exists message_server on pgthreads.message;
create policy message_server on pgthreads.message for select to pgthreads_server
  using (
    owner_user_id = nullif(current_setting('app.current_user_id', true), '')
    and exists (
      select
      from pgthreads.thread as t
      where t.owner_user_id = message.owner_user_id and t.state_key = message.state_key
    )
  );

revoke all on pgthreads.message from public, pgthreads_server;
grant select on pgthreads.message to pgthreads_server;

create or replace trigger message_grow_only
  before update or delete or truncate on pgthreads.message
  for each statement execute function pgthreads.refuse_change();

-- Redaction rules hold no tenant's data: the owner role, and whoever it lets, changes them. The
-- trigger keeps config.redaction_screen; the update at the end is for rules that a migration made
-- before the trigger was there.

alter table pgthreads.redaction_rule enable row level security;
alter table pgthreads.redaction_rule force row level security;

drop policy if exists redaction_rule_owner on pgthreads.redaction_rule;
create policy redaction_rule_owner on pgthreads.redaction_rule to pgthreads_owner
  using (true)
  with check (true);

revoke all on pgthreads.redaction_rule from public, pgthreads_server;

create or replace trigger redaction_rule_screen
  after insert or update or delete or truncate on pgthreads.redaction_rule
  for each statement execute function pgthreads.refresh_redaction_screen();

update pgthreads.redaction_rule as r
set ordering = r.ordering
where r.name = (select min(f.name) from pgthreads.redaction_rule as f)
  and (select c.redaction_screen from pgthreads.config as c) is null;

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

-- Row level security of turn: only the functions see it.

alter table pgthreads.turn enable row level security;
alter table pgthreads.turn force row level security;

drop policy if exists turn_owner on pgthreads.turn;
create policy turn_owner on pgthreads.turn to pgthreads_owner
  using (owner_user_id = nullif(current_setting('app.current_user_id', true), ''))
  with check (owner_user_id = nullif(current_setting('app.current_user_id', true), ''));

revoke all on pgthreads.turn from public, pgthreads_server;

commit;
