-- Appends UIMessages to a thread, and creates the thread if none exists. Keeps SERIALIZED_APPENDS,
-- EXACTLY_ONCE, REDACT_BEFORE_PERSIST, TENANT_SCOPED and, with p_turn_id, ONE_TURN_PER_THREAD.
--
-- Messages are checked and redacted before the lock is taken. Locks: the thread's row, then the row
-- of a turn whose lease has ended. Such a turn is given up, and its partial answer comes before
-- p_messages. An answer that waits is closed first, and p_messages come behind it.
--
-- A message that is stored already, with the same content, is left out. If that leaves none, the
-- call changes nothing and succeeds whatever count and turn it names: it repeats a call whose
-- result got lost.
--
-- A message that is no turn's answer takes an archived thread back into the list.
--
-- The first message continues the thread's last message. If p_parent_id names another one ('' for
-- none), or the turn answers another one, the first message begins a branch.

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
rows 1
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_ready record;
  v_ids text[];
  v_texts text[];
  v_count int;
  v_title text;
  v_deleted_at timestamptz;
  v_archived_at timestamptz;
  v_now timestamptz;
  v_stored_ids text[];
  v_stored_texts text[];
  v_turn_id text;
  v_lease_until timestamptz;
  v_user_seq int;
  v_begun_count int;
  v_open_since timestamptz;
  v_continues text;
  v_parent int;
  v_digest bytea;
begin
  -- Prepare: look at the arguments, then check, redact and print the messages.
  -- PostgreSQL prepares each statement and expression once in every transaction, and that is most
  -- of what an append costs. So one expression asks for all that is usually true; only where it is
  -- false, the following ones look at each thing by itself.
  if (pgthreads.is_named_tenant(p_owner_user_id)
    and pgthreads.is_state_key(p_state_key)
    and jsonb_typeof(p_messages) = 'array') is not true
  then
    perform pgthreads.require_tenant(p_owner_user_id);
    if p_state_key is null then
      p_state_key := pgthreads.new_state_key();
    else
      perform pgthreads.require_state_key(p_state_key);
    end if;
    if p_messages is null or jsonb_typeof(p_messages) <> 'array' then
      raise exception 'not an array of UIMessages' using
        errcode = 'THMSG',
        detail = format('p_messages is %s.', coalesce(jsonb_typeof(p_messages), 'null')),
        hint = pgthreads.json_hint(
          p_messages, 'array', 'Pass a jsonb array, even for one message.');
    end if;
  end if;
  v_ready := pgthreads.ready_messages(p_messages);
  v_ids := v_ready.ids;
  v_texts := v_ready.bodies;

  -- Lock the thread, and create it if none exists.
  loop
    select t.message_count, t.head_digest, t.title, t.deleted_at, t.open_since,
      t.archived_at
    into v_count, v_digest, v_title, v_deleted_at, v_open_since, v_archived_at
    from pgthreads.thread as t
    where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key
    for update;
    exit when found;
    v_count := 0;
    exit when p_expected_count > 0 or p_turn_id is not null;
    insert into pgthreads.thread as t (owner_user_id, state_key, updated_at, recent_at)
    select p_owner_user_id, p_state_key, c, c
    from clock_timestamp() as c
    on conflict (owner_user_id, state_key) do nothing
    returning t.head_digest into v_digest;
    exit when found;
  end loop;

  -- Known ids: find them, and the running turn with them. This is a statement of its own, so it
  -- sees what others committed while the one above waited for the lock.
  select clock_timestamp(), s.ids, s.texts, n.turn_id, n.lease_until, n.user_seq, n.begun_count,
    n.continues
  into v_now, v_stored_ids, v_stored_texts, v_turn_id, v_lease_until, v_user_seq, v_begun_count,
    v_continues
  from (
    select array_agg(m.message_id) as ids, array_agg(m.message::text) as texts
    from unnest(v_ids) as i (id)
    -- The limit keeps this a look at the key for each id. Without it the planner, which takes all
    -- threads for equally long, would read all messages of a long one.
    cross join lateral (
      select m.message_id, m.message
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.message_id = i.id
      limit 1
    ) as m
  ) as s
  left join pgthreads.turn as n
    on n.owner_user_id = p_owner_user_id and n.state_key = p_state_key and n.status = 'running';
  if v_deleted_at is not null or v_stored_ids is not null then
    if v_deleted_at is not null then
      raise exception 'the thread is deleted' using
        errcode = 'THDEL',
        detail = format('Thread %s was deleted at %s.', p_state_key, v_deleted_at),
        hint = 'Start a new thread, under another state key.';
    end if;
    if exists (
      select
      from unnest(v_stored_ids, v_stored_texts) as s (id, body)
      join unnest(v_ids, v_texts) as g (id, body) on g.id = s.id
      where s.body <> g.body
        and s.body::jsonb <> g.body::jsonb
        -- The stored message may hold what a rule that was enabled later takes out of the new one.
        and pgthreads.redact_message(s.body::jsonb) <> g.body::jsonb
    ) then
      raise exception 'this message id is stored with other content' using
        errcode = 'THDUP',
        detail = format('Thread %s holds a different message %L.', p_state_key, (
          select g.id
          from unnest(v_stored_ids, v_stored_texts) as s (id, body)
          join unnest(v_ids, v_texts) with ordinality as g (id, body, place) on g.id = s.id
          where s.body::jsonb <> g.body::jsonb
            and pgthreads.redact_message(s.body::jsonb) <> g.body::jsonb
          order by g.place
          limit 1
        )),
        hint = 'Messages never change: append a new message with a new id.';
    end if;
    select coalesce(array_agg(g.id order by g.place), '{}'),
      coalesce(array_agg(g.body order by g.place), '{}')
    into v_ids, v_texts
    from unnest(v_ids, v_texts) with ordinality as g (id, body, place)
    where g.id <> all (v_stored_ids);
    if v_ids = '{}' then
      return query select p_state_key, v_count, 0;
      return;
    end if;
  end if;

  -- Refuse what does not fit the thread as it is now: its count, its turn and its size.
  if (v_count = coalesce(p_expected_count, v_count)
    and v_turn_id is not distinct from p_turn_id
    and (coalesce(v_open_since, v_archived_at) is null or p_turn_id is not null)
    and coalesce(v_lease_until > clock_timestamp(), true)
    and v_ids <> '{}'
    and v_count + cardinality(v_ids) <= v_ready.max_messages) is not true
  then
    if p_expected_count <> v_count then
      raise exception 'the thread has changed' using
        errcode = 'THCNT',
        detail = format('Thread %s has %s messages, but the caller expected %s.', p_state_key,
          v_count, p_expected_count),
        hint = 'Load the thread again, and decide again what to append.';
    end if;
    if p_turn_id is not null then
      if v_turn_id is distinct from p_turn_id or v_lease_until <= clock_timestamp() then
        raise exception 'this turn has lost its lease' using
          errcode = 'THLST',
          detail = format('Turn %s of thread %s does not run%s.', p_turn_id, p_state_key,
            case when v_turn_id = p_turn_id then format(' since %s', v_lease_until) else '' end),
          hint = 'Call extend_turn, which takes the turn back if that is still possible.';
      end if;
    elsif v_turn_id is not null then
      -- Look again under a lock, because a heartbeat may have extended the lease.
      select n.lease_until into v_lease_until
      from pgthreads.turn as n
      where n.owner_user_id = p_owner_user_id
        and n.state_key = p_state_key
        and n.status = 'running'
      for update;
      if v_lease_until > clock_timestamp() then
        raise exception 'a turn is running' using
          errcode = 'THTRN',
          detail = format('Turn %s of thread %s runs until %s at least.', v_turn_id, p_state_key,
            v_lease_until),
          hint = 'Wait for its end, or ask it to stop with request_stop.';
      end if;
      -- That may append to the thread, so begin again. p_expected_count has been compared above.
      perform pgthreads.abandon_turn(p_owner_user_id, p_state_key, v_turn_id);
      return query
        select a.state_key, a.message_count, a.appended
        from pgthreads.append_thread(
          p_owner_user_id, p_state_key, p_messages, null, null, p_metadata, p_parent_id) as a;
      return;
    elsif v_open_since is not null and v_ids <> '{}' then
      perform pgthreads.close_answer(p_owner_user_id, p_state_key, 'stopped');
      return query
        select a.state_key, a.message_count, a.appended
        from pgthreads.append_thread(
          p_owner_user_id, p_state_key, p_messages, null, null, p_metadata, p_parent_id) as a;
      return;
    end if;
    if v_count + cardinality(v_ids) > v_ready.max_messages then
      raise exception 'the thread is full' using
        errcode = 'THMAX',
        detail = format('Thread %s has %s messages; the limit is %s.', p_state_key, v_count,
          v_ready.max_messages),
        hint = 'Start a new thread.';
    end if;
    if v_archived_at is not null and p_turn_id is null and v_ids <> '{}' then
      update pgthreads.thread as t
      set archived_at = null
      where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key;
    end if;
  end if;

  -- Branch: find what the first message continues, unless that is the thread's last message.
  if p_turn_id is not null then
    -- A turn's first message answers its user message, and its next ones continue the first.
    v_parent := nullif(
      case when v_count = coalesce(v_begun_count, v_user_seq) then v_user_seq end, v_count);
  elsif p_parent_id = '' then
    v_parent := nullif(0, v_count);
  elsif p_parent_id is not null then
    select m.seq into v_parent
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id
      and m.state_key = p_state_key
      and m.message_id = p_parent_id;
    if not found then
      raise exception 'no such message' using
        errcode = 'THNON',
        detail = format('Thread %s has no message %L.', p_state_key, left(p_parent_id, 256)),
        hint = 'Pass the id of a stored message as p_parent_id.';
    end if;
    v_parent := nullif(v_parent, v_count);
  end if;

  -- Write. A call without messages changes the metadata alone.
  if v_ids = '{}' and p_metadata is null then
    return query select p_state_key, v_count, 0;
    return;
  end if;
  -- Only a thread's beginning is searched for a title: otherwise every append to a thread without
  -- one would search it.
  if v_title is null and v_count < 10 then
    if not exists (
      select
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.message ->> 'role' = 'user'
    ) then
      v_title := pgthreads.message_title(v_texts);
    end if;
  end if;
  if v_continues is not null and v_ids <> '{}' then
    perform pgthreads.take_open_answer(p_owner_user_id, p_state_key, v_continues, v_ids[1]);
  end if;
  state_key := p_state_key;
  message_count := pgthreads.write_messages(
    p_owner_user_id, p_state_key, v_ids, v_texts, v_count, v_digest, v_parent, v_title, p_metadata,
    v_now);
  appended := cardinality(v_ids);
  return next;
end;
$$;

comment on function pgthreads.append_thread(text, text, jsonb, int, text, jsonb, text) is
  'Appends UIMessages under the thread''s lock, after redaction; creates the thread if it is new.';
revoke all on function pgthreads.append_thread from public;
grant execute on function pgthreads.append_thread(text, text, jsonb, int, text, jsonb, text)
  to pgthreads_server;
