-- Whether has_message_shape() has to look at a part of a message. It need not if the part begins a
-- step, or has a type that it does not know: such a part is kept as it is. The planner puts this
-- expression in the place of its call.

create or replace function pgthreads.is_known_part(p_part jsonb)
returns boolean
language sql
immutable
parallel safe
as $$
  select case
    when pg_catalog.jsonb_typeof(p_part operator(pg_catalog.->) 'type')
      operator(pg_catalog.=) 'string'
      then (p_part operator(pg_catalog.->>) 'type') operator(pg_catalog.~) (
        '^(?:$|tool-|data-|(?:dynamic-tool|text|reasoning|reasoning-file|file|source-url'
        '|source-document|custom|steering-message)$)')
    else true
  end;
$$;

comment on function pgthreads.is_known_part(jsonb) is
  'Whether there is something to look at in a part: it is of a type that is known, or of none.';
revoke all on function pgthreads.is_known_part(jsonb) from public;
