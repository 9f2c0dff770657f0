-- Whether a value has the shape of a UIMessage: has_message_shape(), or for a large value
-- has_long_shape(), which needs less memory. The planner puts this expression in the place of its
-- call.

create or replace function pgthreads.has_shape(p_message jsonb)
returns boolean
language sql
stable
parallel safe
as $$
  select case
    when pg_catalog.pg_column_size(p_message) operator(pg_catalog.>) 32768
      then pgthreads.has_long_shape(p_message)
    else pgthreads.has_message_shape(p_message)
  end;
$$;

comment on function pgthreads.has_shape(jsonb) is
  'Whether the value has the members and parts of a UIMessage, for a value of any size.';
revoke all on function pgthreads.has_shape(jsonb) from public;
