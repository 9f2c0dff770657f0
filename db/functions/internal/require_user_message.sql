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
  v_place bigint;
  v_parts jsonb;
  v_blank boolean;
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
    -- All parts at once, because a message may have thousands.
    select min(k.place) filter (where k.part is null),
      to_jsonb(array_agg(k.part order by k.place)),
      bool_and(k.is_blank)
    into strict v_place, v_parts, v_blank
    from (
      select e.place - 1 as place,
        case e.part ->> 'type'
          when 'text' then jsonb_build_object('type', 'text', 'text', e.part -> 'text')
          when 'file' then case
            when e.part ->> 'url' ~* '^(data|https?):' and pgthreads.is_url(e.part ->> 'url') then
              -- A file without a name has a null here.
              jsonb_strip_nulls(jsonb_build_object('type', 'file', 'mediaType',
                e.part -> 'mediaType', 'url', e.part -> 'url', 'filename', e.part -> 'filename'))
          end
        end as part,
        e.part ->> 'type' = 'text' and e.part ->> 'text' !~ '[^[:space:]]' as is_blank
      from jsonb_array_elements(p_message -> 'parts') with ordinality as e (part, place)
      offset 0
    ) as k;
    if v_place is not null then
      v_fault := format('parts[%s] is of type %s.', v_place,
        p_message #>> array['parts', v_place::text, 'type']);
    end if;
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
  return jsonb_build_object('id', p_message -> 'id', 'role', 'user', 'parts', v_parts)
    || case
      when p_message ? 'metadata' then jsonb_build_object('metadata', p_message -> 'metadata')
      else '{}'
    end;
end;
$$;

comment on function pgthreads.require_user_message(jsonb) is
  'What counts of a client''s user message; raises THMSG if no client may send it.';
revoke all on function pgthreads.require_user_message(jsonb) from public;
