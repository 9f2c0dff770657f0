-- Checks, redacts and prints the messages of one append, each id once: REDACT_BEFORE_PERSIST and
-- UIMESSAGE_IS_CONTRACT. This is for messages of which ready_messages() cannot be sure, in its one
-- look, that they are plain and clean.
--
-- The key pgthreads of their metadata is left out, because it is that of read_thread_details().

create or replace function pgthreads.prepare_messages(p_messages jsonb)
returns table (message_id text, body text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on
set plan_cache_mode = force_generic_plan
set jit = off
as $$
#variable_conflict use_column
declare
  v_config pgthreads.config;
  v_message jsonb;
  v_place bigint;
  v_fault text;
  v_id text;
  v_ids text[];
  v_texts text[];
begin
  select c.* into v_config from pgthreads.config as c;
  if not found then
    perform pgthreads.require_installed();
  end if;
  if jsonb_array_length(p_messages) > v_config.max_messages then
    raise exception 'these are more messages than a thread may hold' using
      errcode = 'THMAX',
      detail = format('p_messages has %s messages; the limit of a thread is %s.',
        jsonb_array_length(p_messages), v_config.max_messages),
      hint = 'Start a new thread.';
  end if;
  if exists (
    select from jsonb_array_elements(p_messages) as e (value)
    where e.value -> 'metadata' ? 'pgthreads'
  ) then
    select to_jsonb(array_agg(pgthreads.without_details(e.value) order by e.place))
    into strict p_messages
    from jsonb_array_elements(p_messages) with ordinality as e (value, place);
  end if;
  for v_message, v_place in
    select e.value, e.place - 1
    from jsonb_array_elements(p_messages) with ordinality as e (value, place)
    where (pg_column_size(e.value) <= v_config.max_message_bytes / 36
      and pgthreads.is_plain_message(e.value)) is not true
    order by e.place
  loop
    perform pgthreads.require_storable(
      v_message, format('messages[%s]', v_place), v_config.max_message_bytes);
    -- This is the rest of is_plain_message().
    v_fault := case
      when pgthreads.has_shape(v_message) and char_length(v_message ->> 'id') <= 256
        then null
      else pgthreads.ui_message_fault(v_message)
    end;
    if v_fault is not null then
      raise exception 'not a UIMessage' using
        errcode = 'THMSG',
        detail = format('messages[%s]: %s', v_place, v_fault),
        hint = pgthreads.json_hint(v_message, 'object',
          'Pass messages that validateUIMessages of the AI SDK accepts.');
    end if;
  end loop;

  -- The array's order is that of the function's rows.
  -- The arrays rely on the order of the function's rows; an order in them would sort the messages.
  select coalesce(array_agg(e.value ->> 'id'), '{}'), coalesce(array_agg(e.value::text), '{}')
  into strict v_ids, v_texts
  from jsonb_array_elements(p_messages) as e (value);
  v_texts := pgthreads.redact_batches(v_ids, v_texts);
  if cardinality(v_ids) = (select count(distinct i.id) from unnest(v_ids) as i (id)) then
    return query select u.id, u.text from unnest(v_ids, v_texts) as u (id, text);
    return;
  end if;
  select d.place - 1, d.id into v_place, v_id
  from (
    select u.place, u.id, u.text, first_value(u.text) over (
      partition by u.id order by u.place) as first_text
    from unnest(v_ids, v_texts) with ordinality as u (id, text, place)
  ) as d
  where d.text <> d.first_text
  order by d.place
  limit 1;
  if found then
    raise exception 'two messages have the same id and different content' using
      errcode = 'THDUP',
      detail = format('messages[%s] has the id %L of a message before it.', v_place, v_id),
      hint = 'Give every message an id of its own.';
  end if;
  return query
    select d.id, d.text
    from (
      select u.place, u.id, u.text, row_number() over (
        partition by u.id order by u.place) as nth
      from unnest(v_ids, v_texts) with ordinality as u (id, text, place)
    ) as d
    where d.nth = 1
    order by d.place;
end;
$$;

comment on function pgthreads.prepare_messages(jsonb) is
  'The messages of an append as they will be stored; raises an error if one cannot be stored.';
revoke all on function pgthreads.prepare_messages(jsonb) from public;
