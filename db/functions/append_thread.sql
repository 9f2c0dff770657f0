-- Appends UIMessages to a thread, and creates it if it is new. The one way by which a message gets
-- into a thread. Keeps SERIALIZED_APPENDS, EXACTLY_ONCE, REDACT_BEFORE_PERSIST, TENANT_SCOPED and,
-- with p_turn_id, ONE_TURN_PER_THREAD.
--
-- Messages are checked and redacted before the lock is taken. Locks: the thread's row, then the row
-- of a turn that has to be given up. A message id that is stored with the same content is left out,
-- and a call whose messages are all stored changes nothing and succeeds whatever count and turn it
-- names: it is the repetition of a call whose answer got lost.
--
-- The first message continues the thread's last one, unless p_parent_id names another ('' for none) or
-- the turn answers another: then it begins a branch.

create or replace function pgthreads.append_thread(
  p_owner_user_id text,
  p_state_key text,
  p_messages jsonb,
  p_expected_count int default null,
  p_turn_id text default null,
  p_metadata jsonb default null,
  p_parent_id text default null
)
returns table (state_key text, message_count int, appended int)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
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
  v_parent int;
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
    if octet_length(v_text) > v_config.max_message_bytes then
      raise exception 'the message is too large' using
        errcode = 'THMAX',
        detail = format('messages[%s] has %s bytes, the limit is %s.', v_place,
          octet_length(v_text), v_config.max_message_bytes),
        hint = 'Keep large content elsewhere and refer to it by a URL in a file part.';
    end if;
    -- redact_message looks again without the id, which may well look like a secret.
    if v_text ~ v_config.redaction_screen then
      v_message := pgthreads.redact_message(v_message);
      v_text := v_message::text;
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

  if p_turn_id is not null then
    -- What the turn appends first answers its user message; what it appends then continues that.
    if v_count = coalesce(v_turn.begun_count, v_turn.user_seq) then
      v_parent := v_turn.user_seq;
    end if;
  elsif p_parent_id = '' then
    v_parent := 0;
  elsif p_parent_id is not null then
    select m.seq into v_parent
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = v_key
      and m.message_id = p_parent_id;
    if not found then
      raise exception 'no such message' using
        errcode = 'THNON',
        detail = format('Thread %s has no message %L.', v_key, left(p_parent_id, 256)),
        hint = 'Continue a message that is stored.';
    end if;
  end if;
  v_parent := nullif(v_parent, v_count);

  if v_count + cardinality(v_ids) > v_config.max_messages then
    raise exception 'the thread is full' using
      errcode = 'THMAX',
      detail = format('Thread %s has %s messages, the limit is %s.', v_key,
        v_count, v_config.max_messages),
      hint = 'Start a new thread.';
  end if;

  v_digest := v_thread.head_digest;
  foreach v_text in array v_texts loop
    v_digest := sha256(v_digest || convert_to(v_text, 'UTF8') || case
      when v_digests = array[]::bytea[] and v_parent is not null
        then convert_to(E'\n' || v_parent, 'UTF8')
      else ''
    end);
    v_digests := array_append(v_digests, v_digest);
  end loop;
  -- Only at a thread's start, so that a thread without a title costs no search at each append.
  if v_thread.title is null and v_count < 10 and not exists (
    select
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = v_key
      and m.message ->> 'role' = 'user'
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
      (owner_user_id, state_key, seq, message_id, message, digest, parent_seq)
    select p_owner_user_id, v_key, v_count + u.place, u.id, u.body::json, u.digest,
      case when u.place = 1 then v_parent end
    from unnest(v_ids, v_texts, v_digests) with ordinality as u (id, body, digest, place);
  end if;
  return query select v_key, v_count + cardinality(v_ids), cardinality(v_ids);
end;
$$;

comment on function pgthreads.append_thread(text, text, jsonb, int, text, jsonb, text) is
  'Appends UIMessages under the thread''s lock, after redaction; creates the thread if it is new.';
revoke all on function pgthreads.append_thread(text, text, jsonb, int, text, jsonb, text) from public;
grant execute on function pgthreads.append_thread(text, text, jsonb, int, text, jsonb, text)
  to pgthreads_server;
