-- Checks, redacts and prints the messages of one append, each id once: REDACT_BEFORE_PERSIST and
-- UIMESSAGE_IS_CONTRACT. This is for messages of which ready_messages() cannot be sure, in its one
-- look, that they are plain and clean.

create or replace function pgthreads.prepare_messages(p_messages jsonb)
returns table (message_id text, body text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_config pgthreads.config;
  v_message jsonb;
  v_place bigint;
  v_fault text;
  v_text text;
  v_id text;
  v_ids text[] := array[]::text[];
  v_texts text[] := array[]::text[];
begin
  select c.* into strict v_config from pgthreads.config as c;
  if jsonb_array_length(p_messages) > v_config.max_messages then
    raise exception 'these are more messages than a thread may hold' using
      errcode = 'THMAX',
      detail = format('p_messages has %s messages; the limit of a thread is %s.',
        jsonb_array_length(p_messages), v_config.max_messages),
      hint = 'Start a new thread.';
  end if;
  for v_message, v_place in
    select e.value, e.ordinality - 1
    from jsonb_array_elements(p_messages) with ordinality as e (value, ordinality)
  loop
    perform pgthreads.require_storable(
      v_message, format('messages[%s]', v_place), v_config.max_message_bytes);
    -- This is the rest of is_plain_message().
    v_fault := case
      when pgthreads.has_message_shape(v_message) and char_length(v_message ->> 'id') <= 256
        then null
      else pgthreads.ui_message_fault(v_message)
    end;
    if v_fault is not null then
      raise exception 'not a UIMessage' using
        errcode = 'THMSG',
        detail = format('messages[%s]: %s', v_place, v_fault),
        hint = 'Pass messages that validateUIMessages of the AI SDK accepts.';
    end if;
    v_id := v_message ->> 'id';
    v_text := v_message::text;
    -- redact_message looks again without the id, which may well look like a secret.
    if pgthreads.may_hold_secret(v_text) then
      v_text := pgthreads.redact_message(v_message)::text;
    end if;
    if v_id = any (v_ids) then
      if v_texts[array_position(v_ids, v_id)] <> v_text then
        raise exception 'two messages have the same id and different content' using
          errcode = 'THDUP',
          detail = format('messages[%s] has the id %L of a message before it.', v_place, v_id),
          hint = 'Give every message an id of its own.';
      end if;
      continue;
    end if;
    v_ids := array_append(v_ids, v_id);
    v_texts := array_append(v_texts, v_text);
    return query select v_id, v_text;
  end loop;
end;
$$;

comment on function pgthreads.prepare_messages(jsonb) is
  'The messages of an append as they will be stored; raises an error if one cannot be stored.';
revoke all on function pgthreads.prepare_messages(jsonb) from public;
