-- Whether a text may name a thread: STATE_KEY_LIFECYCLE. The expression has no counted repetition,
-- because PostgreSQL would build the automaton of one again at each look. The planner puts this
-- expression in the place of its call. require_state_key() says what is wrong with other texts.

create or replace function pgthreads.is_state_key(p_state_key text)
returns boolean
language sql
immutable
parallel safe
as $$
  select pg_catalog.octet_length(p_state_key) operator(pg_catalog.>=) 1
    and pg_catalog.octet_length(p_state_key) operator(pg_catalog.<=) 128
    and p_state_key operator(pg_catalog.!~) '[^a-zA-Z0-9_-]';
$$;

comment on function pgthreads.is_state_key(text) is
  'Whether the argument has 1 to 128 letters, digits, underscores and hyphens.';
revoke all on function pgthreads.is_state_key(text) from public;
grant execute on function pgthreads.is_state_key(text) to pgthreads_server, pgthreads_maintenance;
