-- A page that stops listening and wants another answer to its last question does not get the answer
-- that it has stopped; a call that is repeated does.
begin;
select plan(15);
\ir ../helpers.psql

create function test.again(
  p_turn text, p_busy text, p_replaces text default null, p_on_stale text default 'append')
returns table (outcome text, turn_id text)
language sql
as $$
  select b.outcome, b.turn_id
  from pgthreads.begin_turn('alice', 'k', test.message('u1'), p_turn, p_replaces => p_replaces,
    p_regenerate => true, p_busy => p_busy, p_on_stale => p_on_stale) as b;
$$;
create function test.stopping()
returns text
language sql
security definer
as $$
  select n.turn_id from pgthreads.turn as n where n.stop_requested_at is not null
    and n.status = 'running';
$$;
create function test.finish(p_turn text, p_status text)
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
select outcome from pgthreads.begin_turn('alice', 'k', test.message('u1'), 't1') \g /dev/null

select results_eq(
  $$ select outcome, turn_id from pgthreads.begin_turn('alice', 'k', test.message('u1'), 't2',
    p_busy => 'interrupt', p_on_stale => 'append') $$,
  $$ values ('running', 't1') $$, 'the question sent again attaches'
);
select results_eq(
  $$ select * from test.again('t2', 'reject') $$, $$ values ('running', 't1') $$,
  'so does an answer anew that interrupts nothing'
);
select results_eq(
  $$ select * from test.again('t2', 'enqueue') $$, $$ values ('running', 't1') $$,
  'or would wait its turn'
);
select results_eq(
  $$ select * from test.again('t2', 'interrupt', p_on_stale => null) $$,
  $$ values ('running', 't1') $$, 'and a call that does not say what the page shows'
);
select is(test.stopping(), null, 'none of them stops it');
select results_eq(
  $$ select * from test.again('t2', 'interrupt') $$, $$ values ('waiting', 't1') $$,
  'an answer anew that interrupts waits for its end'
);
select is(test.stopping(), 't1', 'and stops it');
select test.finish('t1', 'stopped') \g /dev/null
select results_eq(
  $$ select * from test.again('t2', 'interrupt') $$, $$ values ('started', 't2') $$,
  'then it begins'
);
select results_eq(
  $$ select * from test.again('t2', 'interrupt') $$, $$ values ('started', 't2') $$,
  'the same call again is the same turn'
);
select results_eq(
  $$ select * from test.again('t3', 'interrupt', 'a-t1') $$, $$ values ('running', 't2') $$,
  'a page that shows the answer before attaches: it wants what is coming'
);
select is(test.stopping(), null, 'and stops nothing');
select results_eq(
  $$ select * from test.again('t3', 'interrupt', 'a-t2') $$, $$ values ('waiting', 't2') $$,
  'the partial answer of the running turn is named by whoever has stopped it'
);
select test.finish('t2', 'stopped') \g /dev/null
select results_eq(
  $$ select * from test.again('t3', 'interrupt', 'a-t2') $$, $$ values ('started', 't3') $$,
  'which is stored by then, and replaced'
);
select test.finish('t3', 'completed') \g /dev/null
select results_eq(
  $$ select outcome from test.again('t4', 'interrupt', 'a-t2') $$, $$ values ('answered') $$,
  'and what comes again then is answered'
);
reset role;
select is((select count(*) from pgthreads.queued_turn), 0::bigint, 'nobody waits any more');

select * from finish();
rollback;
