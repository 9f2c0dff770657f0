-- Helpers of the specs, in schema test of each spec's database. A step of a spec ends at the first
-- closing brace, so a spec cannot contain a JSON object.

create schema test;
grant usage on schema test to public;

create function test.message(p_id text, p_text text default 'hello', p_role text default 'user')
returns jsonb
language sql
immutable
return jsonb_build_object(
  'id', p_id,
  'role', p_role,
  'parts', jsonb_build_array(jsonb_build_object('type', 'text', 'text', p_text))
);

-- For a spec's teardown: the permutations of a spec run one after the other in one database.
create procedure test.reset()
language plpgsql
as $$
begin
  set local session_replication_role = replica;
  truncate pgthreads.journal, pgthreads.queued_turn, pgthreads.late_answer, pgthreads.turn,
    pgthreads.message, pgthreads.thread;
end;
$$;

-- The frames of a message whose text has not ended.
create function test.frames(p_id text)
returns text
language sql
immutable
return format('data: %s' || E'\n\n' || 'data: %s' || E'\n\n',
  jsonb_build_object('type', 'start', 'messageId', p_id),
  jsonb_build_object('type', 'text-start', 'id', 't0'));
