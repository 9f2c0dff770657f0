-- What happens to a message while another turn runs: p_busy.
begin;
select plan(31);
\ir ../helpers.psql

-- Calls begin_turn for a message with this id, and returns its outcome and the turn.
create function test.ask(p_id text, p_busy text, p_turn text default null)
returns table (outcome text, turn_id text, message_count int)
language sql
as $$
  select b.outcome, b.turn_id, b.message_count
  from pgthreads.begin_turn('alice', 'k', test.message(p_id), coalesce(p_turn, 't-' || p_id),
    p_busy => p_busy) as b;
$$;
create function test.queue()
returns text[]
language sql
security definer
as $$
  select array_agg(q.message_id order by q.ticket) from pgthreads.queued_turn as q;
$$;
create function test.finish(p_turn text, p_status text default 'completed')
returns void
language sql
as $$
  select pgthreads.append_thread('alice', 'k',
    jsonb_build_array(test.message('a-' || p_turn, 'answer', 'assistant')), null, p_turn),
    pgthreads.finish_turn('alice', 'k', p_turn, p_status);
$$;
grant execute on all functions in schema test to public;

set local role tap_server;
select pgthreads.set_tenant('alice') \gset

-- Nothing runs.
select results_eq(
  $$ select * from test.ask('u1', 'enqueue') $$, $$ values ('started', 't-u1', 1) $$,
  'nothing to wait for'
);
select test.refuses(
  format('select * from test.ask(%L, %L)', 'u2', v.busy), '22023', 'p_busy is %', '%enqueue%',
    v.what
)
from (values ('REJECT', 'an unknown policy'), (null, 'no policy')) as v (busy, what);
select test.refuses(
  $$ select * from pgthreads.begin_turn('alice', 'a b', test.message('u2'), 't',
    p_busy => 'enqueue') $$,
  'THKEY', null, null, 'a bad key'
);
select test.refuses(
  $$ select * from test.ask('u2', 'reject') $$, 'THTRN', '%t-u1%', '%request_stop%', 'reject'
);

-- Waiting.
select results_eq(
  $$ select b.outcome, b.state_key, b.turn_id, b.message_count, b.lease_until > clock_timestamp(),
      b.history is null, b.answer is null, b.max_message_bytes
    from pgthreads.begin_turn('alice', 'k', test.message('u2'), 't-u2',
      p_busy => 'enqueue') as b $$,
  $$ values ('waiting', 'k', 't-u1', 1, true, true, true, null::int) $$,
  'enqueue waits for the turn that runs'
);
select is(
  jsonb_array_length(pgthreads.load_thread('alice', 'k')::jsonb), 1, 'and nothing is stored'
);
select is(
  (select stop_requested from pgthreads.extend_turn('alice', 'k', 't-u1')), false,
  'and the running turn is left alone'
);
select outcome from test.ask('u3', 'enqueue') \g /dev/null
select outcome from test.ask('u2', 'enqueue') \g /dev/null
select is(test.queue(), array['u2', 'u3'], 'who asks again keeps the place');
select results_eq(
  $$ select * from test.ask('u1', 'enqueue', 'other') $$, $$ values ('running', 't-u1', 1) $$,
  'the running turn''s own message attaches'
);
select is(test.queue(), array['u2', 'u3'], 'without a ticket');
select test.refuses(
  $$ select * from pgthreads.begin_turn('alice', 'k', test.message('u1', 'other'), 't',
    p_busy => 'enqueue') $$,
  'THDUP', null, null, 'a stored id with other content is refused at once'
);

-- The order.
select test.finish('t-u1') \g /dev/null
select results_eq(
  $$ select * from test.ask('u3', 'enqueue') $$, $$ values ('waiting', null, 2) $$,
  'the second one waits for the first one, though nothing runs'
);
select results_eq(
  $$ select * from test.ask('u4', 'enqueue') $$, $$ values ('waiting', null, 2) $$,
  'and so does a new one'
);
select results_eq(
  $$ select * from test.ask('u2', 'enqueue') $$, $$ values ('started', 't-u2', 3) $$,
    'the first one begins'
);
select is(test.queue(), array['u3', 'u4'], 'and gives its ticket back');
select results_eq(
  $$ select * from test.ask('u2', 'enqueue', 'other') $$, $$ values ('running', 't-u2', 3) $$,
  'sent once more it attaches'
);

-- A caller that does not come back is passed over.
select test.finish('t-u2') \g /dev/null
reset role;
update pgthreads.queued_turn set expires_at = clock_timestamp() where message_id = 'u3';
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select results_eq(
  $$ select * from test.ask('u4', 'enqueue') $$, $$ values ('started', 't-u4', 5) $$,
  'a ticket that has expired holds nobody up'
);
select is(test.queue(), null, 'and is cleared away');

-- Stored by a turn that ended without an answer, and sent again.
select pgthreads.finish_turn('alice', 'k', 't-u4', 'failed') \g /dev/null
select results_eq(
  $$ select * from test.ask('u4', 'enqueue', 't-again') $$, $$ values ('started', 't-again', 5) $$,
  'a stored message that nothing answered begins again'
);

-- Interrupting.
select results_eq(
  $$ select * from test.ask('u5', 'interrupt') $$, $$ values ('waiting', 't-again', 5) $$,
  'interrupt waits, too'
);
select is(
  (select stop_requested from pgthreads.extend_turn('alice', 'k', 't-again')), true,
  'and asks the running turn to stop'
);
select results_eq(
  $$ select * from test.ask('u4', 'interrupt', 'other') $$, $$ values ('running', 't-again', 5) $$,
  'a turn is not interrupted by its own message'
);
select test.finish('t-again', 'stopped') \g /dev/null
select results_eq(
  $$ select * from test.ask('u5', 'interrupt') $$, $$ values ('started', 't-u5', 7) $$,
  'then it begins, behind what there was of the answer'
);
select is(
  (select stop_requested from pgthreads.extend_turn('alice', 'k', 't-u5')), false,
    'and is not stopped'
);

-- A lease that has ended.
select outcome from test.ask('u6', 'enqueue') \g /dev/null
reset role;
update pgthreads.turn set lease_until = clock_timestamp() where status = 'running';
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select results_eq(
  $$ select outcome, turn_id from test.ask('u6', 'enqueue') $$, $$ values ('started', 't-u6') $$,
  'a dead turn is taken over'
);

-- Regenerating an answer while a turn answers another question.
select results_eq(
  $$ select outcome, turn_id from pgthreads.begin_turn('alice', 'k', null, 't-r',
    p_replaces => 'a-t-u1', p_busy => 'enqueue') $$,
  $$ values ('waiting', 't-u6') $$, 'an answer that is wanted anew waits, too'
);
select is(test.queue(), array['u1'], 'under the message that it answers');
select pgthreads.finish_turn('alice', 'k', 't-u6', 'failed') \g /dev/null
select results_eq(
  $$ select outcome, turn_id from pgthreads.begin_turn('alice', 'k', null, 't-r',
    p_replaces => 'a-t-u1', p_busy => 'enqueue') $$,
  $$ values ('started', 't-r') $$, 'until it begins'
);

-- The limit of waiting messages.
reset role;
update pgthreads.config set max_queued = 2;
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select outcome from test.ask('u7', 'enqueue') union all select outcome
  from test.ask('u8', 'interrupt') \g /dev/null
select test.refuses(
  $$ select * from test.ask('u9', 'enqueue') $$, 'THTRN', '2 messages wait for thread k; %',
  '%max_queued%', 'the queue is bounded'
);
select results_eq(
  $$ select outcome from test.ask('u7', 'enqueue') $$, $$ values ('waiting') $$,
  'who waits already goes on waiting'
);

select * from finish();
rollback;
