-- Says in words what is wrong with a value that should be a UIMessage, null if nothing is:
-- UIMESSAGE_IS_CONTRACT. The rules are those of the AI SDK's own schemas, as has_message_shape()
-- knows them, and three more: an id is neither empty nor too long, nothing is nested too deep for
-- readers, and a double can hold every number. The first condition decides; the others find the
-- words. This runs as its owner, so that nobody needs a grant on the functions that it calls.

create or replace function pgthreads.ui_message_fault(p_message jsonb)
returns text
language plpgsql
immutable
parallel safe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_index bigint;
  v_type jsonb;
begin
  if pgthreads.is_plain_message(p_message) then
    return null;
  end if;
  if p_message is null or jsonb_typeof(p_message) <> 'object' then
    return 'A UIMessage is an object.';
  end if;
  if not pgthreads.is_shallow(p_message) then
    return 'It is nested deeper than 60 levels.';
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
  select e.place - 1, e.part -> 'type' into v_index, v_type
  from jsonb_array_elements(p_message -> 'parts') with ordinality as e (part, place)
  where pgthreads.is_known_part(e.part) and not pgthreads.has_message_shape(
    jsonb_build_object('id', '-', 'role', 'assistant', 'parts', jsonb_build_array(e.part)))
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
