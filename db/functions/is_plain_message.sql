-- Whether a value is a UIMessage that needs no second look: of the right shape, under an id of
-- bearable length, without files, whose urls a path cannot judge, and with numbers that a double can
-- hold. The planner puts this expression in the place of its call.

create or replace function pgthreads.is_plain_message(p_message jsonb)
returns boolean
language sql
immutable
parallel safe
as $$
  select pgthreads.has_message_shape(p_message)
    and pg_catalog.char_length(p_message operator(pg_catalog.->>) 'id')
      operator(pg_catalog.<=) 256
    and not pg_catalog.jsonb_path_exists(p_message, '$.parts[*] ? (@.type == "file")')
    and pgthreads.has_plain_numbers(p_message);
$$;

comment on function pgthreads.is_plain_message(jsonb) is
  'Whether the value is a UIMessage without files; of the others ui_message_fault() tells.';
revoke all on function pgthreads.is_plain_message(jsonb) from public;
grant execute on function pgthreads.is_plain_message(jsonb) to pgthreads_server;
