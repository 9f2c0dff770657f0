-- Stores a whole UIMessage[]: appends what is new at its end. An array that is shorter than the
-- thread's newest branch, or that differs from it, is refused: MESSAGES_GROW_ONLY. A message that
-- the caller still holds as it was before redaction counts as equal. If all of the array is stored
-- already, the call changes nothing and succeeds whatever count it names: it repeats a call whose
-- result got lost. An answer that waits is the last message of the thread here, too, and what comes
-- behind it closes it. Locks: those of append_thread.

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
rows 1
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_count int;
  v_deleted_at timestamptz;
  v_length int := 0;
  v_open_since timestamptz;
  v_place bigint;
  v_places bigint[];
  v_stored text[];
  v_ids text[];
  v_given text[];
  v_result record;
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  if p_messages is null or jsonb_typeof(p_messages) <> 'array' then
    raise exception 'not an array of UIMessages' using
      errcode = 'THMSG',
      detail = format('p_messages is %s.', coalesce(jsonb_typeof(p_messages), 'null')),
      hint = pgthreads.json_hint(p_messages, 'array', 'Pass the whole thread as a jsonb array.');
  end if;
  if p_state_key is not null then
    perform pgthreads.require_state_key(p_state_key);
  end if;
  -- A thread that does not exist is created here already. Otherwise somebody else could create it
  -- meanwhile, and this call would append to messages that it has not compared.
  loop
    select t.message_count, t.deleted_at, t.open_since into v_count, v_deleted_at, v_open_since
    from pgthreads.thread as t
    where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key
    for update;
    exit when found or p_state_key is null or p_expected_count > 0;
    insert into pgthreads.thread (owner_user_id, state_key)
    values (p_owner_user_id, p_state_key)
    on conflict (owner_user_id, state_key) do nothing;
  end loop;
  v_count := coalesce(v_count, 0);
  if v_deleted_at is null and v_count > 0 then
    select sum(r.last_seq - r.first_seq + 1)::int into v_length
    from pgthreads.branch_ranges(p_owner_user_id, p_state_key,
      pgthreads.shown_head(p_owner_user_id, p_state_key, v_count)) as r;
    if v_open_since is not null then
      select count(*)::int into v_length
      from pgthreads.read_messages(p_owner_user_id, p_state_key) as m;
    end if;
    -- Messages that differ are redacted together, because a call for each would cost much more. The
    -- rows are ordered once, and the offset keeps what they hold from being made again and again.
    select min(d.place) filter (where not d.is_message),
      array_agg(d.place) filter (where d.is_message),
      array_agg(d.stored) filter (where d.is_message),
      array_agg(d.given ->> 'id') filter (where d.is_message),
      array_agg(d.given::text) filter (where d.is_message)
    into v_place, v_places, v_stored, v_ids, v_given
    from (
      select f.place, f.stored, f.given,
        case
          when f.value is not null and pgthreads.is_short(f.given, c.max_message_bytes)
            then pgthreads.is_ui_message(f.value)
          else false
        end as is_message
      from (
        select m.place, m.message::text as stored, e.value,
          pgthreads.without_details(e.value) as given
        from pgthreads.read_messages(p_owner_user_id, p_state_key)
          with ordinality as m (seq, message, place)
        left join jsonb_array_elements(p_messages) with ordinality as e (value, place)
          on e.place = m.place
        where e.value is null or m.message::jsonb <> e.value
        order by m.place
        offset 0
      ) as f
      cross join pgthreads.config as c
      offset 0
    ) as d;
    if v_places is not null then
      select least(v_place, min(r.place)) into v_place
      from unnest(v_places, v_stored, pgthreads.redact_batches(v_ids, v_given))
        as r (place, stored, redacted)
      where r.stored <> r.redacted and r.stored::jsonb <> r.redacted::jsonb;
    end if;
    if v_place is null and jsonb_array_length(p_messages) = v_length
      and (p_metadata is null or p_expected_count <> v_count) then
      return query select p_state_key, v_count, 0;
      return;
    end if;
    if p_expected_count <> v_count then
      raise exception 'the thread has changed' using
        errcode = 'THCNT',
        detail = format('Thread %s has %s messages, but the caller expected %s.', p_state_key,
          v_count, p_expected_count),
        hint = 'Load the thread again, and decide again what to save.';
    end if;
    if v_place is not null then
      raise exception 'the array does not continue the thread' using
        errcode = 'THSHR',
        detail = case
          when v_place > jsonb_array_length(p_messages)
            then format('Thread %s has %s messages, the array has %s.', p_state_key, v_length,
              jsonb_array_length(p_messages))
          else format('Message %s of thread %s differs.', v_place, p_state_key)
        end,
        hint = 'Messages never change: load the thread, add new messages at its end, and save it.'
          ' If you did so, your client has changed a message in decoding: PHP makes a list of {},'
          ' and JavaScript rounds numbers beyond a double. append_thread takes new messages alone.';
    end if;
  end if;
  select a.* into strict v_result
  from pgthreads.append_thread(
    p_owner_user_id, p_state_key,
    (
      select coalesce(to_jsonb(array_agg(e.value order by e.place)), '[]')
      from jsonb_array_elements(p_messages) with ordinality as e (value, place)
      where e.place > v_length
    ),
    p_expected_count, null, p_metadata) as a;
  if v_result.appended <> jsonb_array_length(p_messages) - v_length then
    raise exception 'the array has the same message id twice' using
      errcode = 'THDUP',
      detail = format('The array has %s messages, of which %s are distinct.',
        jsonb_array_length(p_messages), v_length + v_result.appended),
      hint = 'Give every message an id of its own.';
  end if;
  return query select v_result.state_key, v_result.message_count, v_result.appended;
end;
$$;

comment on function pgthreads.save_thread(text, text, jsonb, int, jsonb) is
  'Appends what a whole UIMessage[] has beyond the thread; refuses one that is shorter or differs.';
revoke all on function pgthreads.save_thread(text, text, jsonb, int, jsonb) from public;
grant execute on function pgthreads.save_thread(text, text, jsonb, int, jsonb) to pgthreads_server;
