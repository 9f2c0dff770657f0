-- Whether a value has the shape of a UIMessage, as far as one jsonpath can tell. It checks the
-- message's members, the types of its parts and the fields of each part; that no optional field is
-- null; and that a tool call has the fields that belong to its state. The path runs in C.
-- ui_message_fault() adds what a path cannot see.
--
-- A message passes if any of the AI SDK's majors 5, 6 and 7 takes it; so where they differ, only
-- what all of them ask for is asked for. A part of a type that none of them knows comes from a
-- newer SDK: it has to have a type, and is kept as it is. So no answer is lost because its writer
-- is newer than this function.
--
-- Lax mode unwraps arrays, so the type of every value is checked before the value is compared. That
-- also keeps every condition on a part from being unknown, which the negation in front of it would
-- take for true. The planner puts no function with a search_path of its own in the place of its
-- call, so this one names everything with its schema.

create or replace function pgthreads.has_message_shape(p_message jsonb)
returns boolean
language sql
immutable
parallel safe
as $$
  select pg_catalog.jsonb_path_exists(p_message, '
  $ ? (@.type() == "object"
    && @.id.type() == "string" && @.id != ""
    && @.role.type() == "string"
    && (@.role == "user" || @.role == "assistant" || @.role == "system")
    && @.parts.type() == "array"
    && (@.role == "assistant" || @.parts.size() > 0)
    && !(@.parts[*].type() != "object")
    && !exists(@.parts[*] ? (!(
      @.type.type() == "string" && @.type != "" && (
        (
          (
            (@.type == "text" && @.text.type() == "string"
              && (!exists(@.state) || (@.state.type() == "string"
                && (@.state == "streaming" || @.state == "done"))))
            || (@.type == "reasoning" && @.text.type() == "string"
              && (!exists(@.id) || @.id.type() == "string")
              && (!exists(@.state) || (@.state.type() == "string"
                && (@.state == "streaming" || @.state == "done"))))
            || (@.type == "file" && @.mediaType.type() == "string" && @.url.type() == "string"
              && (!exists(@.filename) || @.filename.type() == "string"))
            || (@.type == "source-url" && @.sourceId.type() == "string"
              && @.url.type() == "string" && (!exists(@.title) || @.title.type() == "string"))
            || (@.type == "source-document" && @.sourceId.type() == "string"
              && @.mediaType.type() == "string" && @.title.type() == "string"
              && (!exists(@.filename) || @.filename.type() == "string"))
            || (@.type == "reasoning-file" && @.mediaType.type() == "string"
              && @.url.type() == "string")
            || (@.type == "custom" && @.kind.type() == "string")
          )
          && (!exists(@.providerMetadata) || (@.providerMetadata.type() == "object"
            && !(@.providerMetadata.*.type() != "object")))
        )
        || @.type == "step-start"
        || (@.type starts with "data-" && (!exists(@.id) || @.id.type() == "string"))
        || (@.type == "steering-message" && @.id.type() == "string"
          && @.parts.type() == "array" && !(@.parts[*].type() != "object")
          && !exists(@.parts[*] ? (!(@.type.type() == "string"))))
        || (
          ((@.type == "dynamic-tool" && @.toolName.type() == "string"
              && (!exists(@.dynamic) || (@.dynamic.type() == "boolean" && @.dynamic == false)))
            || @.type starts with "tool-")
          && @.toolCallId.type() == "string" && @.state.type() == "string"
          && (!exists(@.providerExecuted) || @.providerExecuted.type() == "boolean")
          && (@.state == "input-streaming" || !exists(@.callProviderMetadata)
            || (@.callProviderMetadata.type() == "object"
              && !(@.callProviderMetadata.*.type() != "object")))
          && (
            (@.state == "input-streaming" && !exists(@.output) && !exists(@.errorText)
              && (!exists(@.rawInput) || @.rawInput.type() == "string")
              && (@.type == "dynamic-tool" || !exists(@.approval)))
            || (@.state == "input-available" && !exists(@.output) && !exists(@.errorText)
              && (@.type == "dynamic-tool" || !exists(@.approval)))
            || (((@.state == "output-available" && !exists(@.errorText)
                  && (!exists(@.preliminary) || @.preliminary.type() == "boolean"))
                || (@.state == "output-error" && @.errorText.type() == "string"
                  && !exists(@.output)))
              && (@.type == "dynamic-tool" || !exists(@.approval)
                || (@.approval.type() == "object" && @.approval.id.type() == "string"
                  && @.approval.approved.type() == "boolean" && @.approval.approved == true
                  && (!exists(@.approval.reason) || @.approval.reason.type() == "string"))))
            || (!exists(@.output) && !exists(@.errorText)
              && @.approval.type() == "object" && @.approval.id.type() == "string"
              && ((@.state == "approval-requested"
                  && !exists(@.approval.approved) && !exists(@.approval.reason))
                || ((@.state == "approval-responded"
                    || (@.state == "output-denied" && @.approval.approved == false))
                  && @.approval.approved.type() == "boolean"
                  && (!exists(@.approval.reason) || @.approval.reason.type() == "string"))))
          )
        )
        || !(@.type == "text" || @.type == "reasoning" || @.type == "step-start"
          || @.type == "file" || @.type == "source-url" || @.type == "source-document"
          || @.type == "reasoning-file" || @.type == "custom" || @.type == "steering-message"
          || @.type == "dynamic-tool" || @.type starts with "tool-" || @.type starts with "data-")
      ))))
    )');
$$;

comment on function pgthreads.has_message_shape(jsonb) is
  'Whether the value has the members and parts of a UIMessage; URLs and numbers are not checked.';
revoke all on function pgthreads.has_message_shape(jsonb) from public, pgthreads_server;
