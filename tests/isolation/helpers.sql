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
  truncate pgthreads.journal, pgthreads.queued_turn, pgthreads.late_answer, pgthreads.open_answer,
    pgthreads.tool_response, pgthreads.share, pgthreads.turn, pgthreads.message, pgthreads.thread;
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

-- An answer with one call that waits for an approval, and one that waits for the client.
create function test.waits(p_id text default 'a1')
returns jsonb
language sql
immutable
return test.message(p_id, 'Let me see.', 'assistant') || jsonb_build_object('parts',
  jsonb_build_array(
  jsonb_build_object('type', 'tool-mail', 'toolCallId', 'c1', 'state', 'approval-requested',
    'input', 'x', 'approval', jsonb_build_object('id', 'p1')),
  jsonb_build_object('type', 'tool-locate', 'toolCallId', 'c2', 'state', 'input-available',
    'input', 'y')
));

-- The response to the first call, and to the second.
create function test.approval(p_approved boolean default true)
returns jsonb
language sql
immutable
return jsonb_build_array(jsonb_build_object('toolCallId', 'c1', 'approved', p_approved));

create function test.output(p_output text default 'Turin')
returns jsonb
language sql
immutable
return jsonb_build_array(jsonb_build_object('toolCallId', 'c2', 'output', p_output));

-- All that there is of answers that wait: turns, messages, what is open and what was given.
create view test.waiting as
select
  (
    select string_agg(concat_ws(' ', n.turn_id, n.status), ', ' order by n.turn_id)
    from pgthreads.turn as n
  ) as turns,
  (
    select string_agg(concat_ws(' ', m.message_id, m.message #>> '{metadata,status}',
      m.message #>> '{parts,0,state}', m.message #>> '{parts,1,state}'), ', ' order by m.seq)
    from pgthreads.message as m
  ) as messages,
  (
    select concat_ws(' ', o.message_id, o.turn_id, o.continued_by, o.message #>> '{parts,0,state}',
      o.message #>> '{parts,1,state}')
    from pgthreads.open_answer as o
  ) as open,
  (
    select string_agg(concat_ws(' ', r.tool_call_id, r.response), ', ' order by r.tool_call_id)
    from pgthreads.tool_response as r
  ) as given;
