-- Whether a value is a part of a UIMessage, by the AI SDK's own schema: the types, the fields of
-- each, no null for an optional field, and of a tool call the fields that its state has.
-- One jsonpath, so that the check runs in C; no search_path of its own, so that a query takes it
-- inline. Lax mode unwraps arrays, so the type of every value is
-- asked for before the value is compared.

create or replace function pgthreads.is_ui_message_part(p_part jsonb)
returns boolean
language sql
immutable
parallel safe
as $$
  select pg_catalog.jsonb_typeof(p_part) = 'object' and pg_catalog.jsonb_path_exists(p_part, '
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
      ))'::pg_catalog.jsonpath)
    and (p_part ->> 'type' <> 'file' or pgthreads.is_url(p_part ->> 'url'));
$$;

comment on function pgthreads.is_ui_message_part(jsonb) is
  'Whether the value is a part that validateUIMessages of the AI SDK accepts.';
revoke all on function pgthreads.is_ui_message_part(jsonb) from public;
grant execute on function pgthreads.is_ui_message_part(jsonb) to pgthreads_server;
