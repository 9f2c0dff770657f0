-- Whether a value is a UIMessage. ui_message_fault() has the rules.

create or replace function pgthreads.is_ui_message(p_message jsonb)
returns boolean
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select pgthreads.ui_message_fault(p_message) is null;
$$;

comment on function pgthreads.is_ui_message(jsonb) is
  'Whether the value is a UIMessage that validateUIMessages of the AI SDK accepts.';
revoke all on function pgthreads.is_ui_message(jsonb) from public;
grant execute on function pgthreads.is_ui_message(jsonb) to pgthreads_server;
