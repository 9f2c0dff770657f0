-- A message without the details that read_thread_details() puts into its metadata, and without
-- metadata if that leaves none. A client that has read details sends them back with the message.

create or replace function pgthreads.without_details(p_message jsonb)
returns jsonb
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select case
    when (jsonb_typeof(p_message -> 'metadata') = 'object'
      and p_message -> 'metadata' ? 'pgthreads') is not true then p_message
    when (p_message -> 'metadata') - 'pgthreads' = '{}' then p_message - 'metadata'
    else p_message || jsonb_build_object('metadata', (p_message -> 'metadata') - 'pgthreads')
  end;
$$;

comment on function pgthreads.without_details(jsonb) is
  'A message without the key pgthreads of its metadata, which is reserved for details.';
revoke all on function pgthreads.without_details(jsonb) from public;
