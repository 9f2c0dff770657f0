-- Refuses a message that no client may send: CLIENT_SENDS_USER_ONLY and TOOLS_ARE_SERVER_AUTHORED.
-- Returns the message with nothing but its id, role and metadata, and the text and files of its
-- parts. So options for a provider that a client has put next to them do not get into a prompt.

create or replace function pgthreads.require_user_message(p_message jsonb)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_limit int;
  v_plain boolean;
  v_fault text;
  v_part jsonb;
  v_place bigint;
  v_parts jsonb[] := array[]::jsonb[];
  v_blank boolean := true;
begin
  -- Nearly always a message has nothing but text, and can stay as it is.
  select c.max_message_bytes,
    pg_column_size(p_message) <= c.max_message_bytes / 36
      and pgthreads.is_plain_message(p_message)
      and jsonb_path_exists(p_message, $p$ $ ? (@.role == "user"
        && !exists(@.parts[*] ? (@.type != "text"))
        && !exists(@.parts[*].keyvalue() ? (@.key != "type" && @.key != "text"))
        && exists(@.parts[*].text ? (@ like_regex "\\S"))) $p$)
      and p_message - array['id', 'role', 'parts', 'metadata'] = '{}'
  into v_limit, v_plain
  from pgthreads.config as c;
  if v_plain then
    return p_message;
  end if;
  perform pgthreads.require_installed();
  perform pgthreads.require_storable(p_message, 'the message', v_limit);
  v_fault := pgthreads.ui_message_fault(p_message);
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
        v_blank := v_blank and v_part ->> 'text' !~ '[^[:space:]]';
      elsif v_part ->> 'type' = 'file' and v_part ->> 'url' ~* '^(data|https?):'
        and pgthreads.is_url(v_part ->> 'url')
      then
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
      hint = pgthreads.json_hint(p_message, 'object',
        'Send a UIMessage of role user with text parts, or file parts with data or http URLs.');
  end if;
  return jsonb_build_object('id', p_message -> 'id', 'role', 'user', 'parts', to_jsonb(v_parts))
    || case
      when p_message ? 'metadata' then jsonb_build_object('metadata', p_message -> 'metadata')
      else '{}'
    end;
end;
$$;

comment on function pgthreads.require_user_message(jsonb) is
  'What counts of a client''s user message; raises THMSG if no client may send it.';
revoke all on function pgthreads.require_user_message(jsonb) from public;
