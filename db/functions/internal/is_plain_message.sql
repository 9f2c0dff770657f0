-- Whether a value is a UIMessage: it has the right shape, its id is not too long, it is not nested
-- too deep, and a double can hold its numbers. The planner puts this expression in the place of its
-- call. ui_message_fault() says in words what is wrong with a value that is none.

create or replace function pgthreads.is_plain_message(p_message jsonb)
returns boolean
language sql
stable
parallel safe
as $$
  select pgthreads.has_shape(p_message)
    and pg_catalog.char_length(p_message operator(pg_catalog.->>) 'id')
      operator(pg_catalog.<=) 256
    and pgthreads.is_shallow(p_message)
    and pgthreads.has_plain_numbers(p_message);
$$;

comment on function pgthreads.is_plain_message(jsonb) is
  'Whether the value is a UIMessage; ui_message_fault() says what is wrong with one that is not.';
revoke all on function pgthreads.is_plain_message(jsonb) from public, pgthreads_server;
