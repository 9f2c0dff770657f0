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
