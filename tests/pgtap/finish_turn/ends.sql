-- A turn ends once; its usage is recorded once.
begin;
select plan(22);
\ir ../helpers.psql

create function test.turn(p_turn_id text) returns text language sql security definer
set search_path = pg_catalog
as $$
  select format('%s %s %s %s %s', n.status, n.assistant_message_id, n.usage, n.error_code,
    n.finished_at is not null)
  from pgthreads.turn as n
  where n.turn_id = p_turn_id;
$$;

set local role tap_server;
select test.refuses(
  $$ select pgthreads.finish_turn('alice', 'k', 't', 'completed') $$, 'THTEN', null, null,
    'no tenant'
);
select pgthreads.set_tenant('alice') \gset
select test.refuses(
  $$ select pgthreads.finish_turn('alice', 'k', 't', 'completed') $$,
  'THLST', 'Turn t of thread k is unknown.', null, 'no such turn'
);
select pgthreads.begin_turn('alice', 'k', test.message('u1'), 't1') \g /dev/null
select test.refuses(
  format('select pgthreads.finish_turn(%L, %L, %L, %L)', 'alice', 'k', 't1', v.status),
  '22023', format('p_status is ''%s''.', v.status), '%completed, stopped or failed%',
  format('status %L', v.status)
)
from (values ('running'), ('abandoned'), (''), ('Completed')) as v (status);
select test.refuses(
  $$ select pgthreads.finish_turn('alice', 'k', 't1', null) $$, '22023', 'p_status is null.', null,
  'a null status'
);

-- Answer, usage and end in one statement.
select results_eq(
  $$
    select a.message_count, f.*
    from pgthreads.set_tenant('alice') as t (owner),
      lateral pgthreads.append_thread(t.owner, 'k',
        jsonb_build_array(test.message('a1', 'answer', 'assistant')), null, 't1') as a,
      lateral pgthreads.finish_turn(t.owner, a.state_key, 't1', 'completed', '{"tokens": 5}') as f
  $$,
  $$ values (2, 't1', 'completed', 'a1') $$, 'one statement appends and ends'
);
select is(test.turn('t1'), 'completed a1 {"tokens": 5}  t', 'usage and answer stand in the turn');
select results_eq(
  $$ select * from pgthreads.finish_turn('alice', 'k', 't1', 'completed', '{"tokens": 10}', 'x') $$,
  $$ values ('t1', 'completed', 'a1') $$, 'the same end again has the same answer'
);
select is(test.turn('t1'), 'completed a1 {"tokens": 5}  t', 'and changes nothing');
select test.refuses(
  $$ select pgthreads.finish_turn('alice', 'k', 't1', 'failed') $$,
  'THLST', 'Turn t1 of thread k is completed.', '%only once%', 'another end'
);

-- Without an answer.
select pgthreads.begin_turn('alice', 'k', test.message('u2'), 't2') \g /dev/null
select results_eq(
  $$ select * from pgthreads.finish_turn('alice', 'k', 't2', 'failed', null, repeat('e', 300)) $$,
  $$ values ('t2', 'failed', null::text) $$, 'nothing came'
);
select is(test.turn('t2'), 'failed   ' || repeat('e', 200) || ' t', 'an error has 200 characters');

-- If the end is refused, the append in the same statement is undone.
select pgthreads.begin_turn('alice', 'k', test.message('u3'), 't3') \g /dev/null
select test.refuses(
  $$
    select f.*
    from pgthreads.append_thread('alice', 'k',
        jsonb_build_array(test.message('a3', 'answer', 'assistant')), null, 't3') as a,
      lateral pgthreads.finish_turn('alice', a.state_key, 't2', 'completed', '{"tokens": 5}') as f
  $$,
  'THLST', 'Turn t2 of thread k is failed.', null, 'a refused end takes its answer along'
);
select is(
  (select message_count from pgthreads.read_thread('alice', 'k')), 4, 'nothing of it is stored'
);
select pgthreads.set_tenant('bob') \gset
select test.refuses(
  $$ select pgthreads.finish_turn('bob', 'k', 't3', 'completed') $$,
  'THLST', 'Turn t3 of thread k is unknown.', null, 'another tenant''s turn'
);
select pgthreads.set_tenant('alice') \gset

-- A deleted thread has ended its turn.
select pgthreads.soft_delete_thread('alice', 'k') \g /dev/null
select is(test.turn('t3'), 'stopped   thread_deleted t', 'a deletion stops the turn');
select test.refuses(
  $$ select pgthreads.finish_turn('alice', 'k', 't3', 'completed') $$,
  'THLST', 'Turn t3 of thread k is stopped.', null, 'which then cannot complete'
);
select lives_ok(
  $$ select pgthreads.finish_turn('alice', 'k', 't3', 'stopped') $$, 'but may stop'
);

-- A turn whose lease has ended may still end if nobody has taken the thread over.
select pgthreads.begin_turn('alice', 'k2', test.message('u'), 't4') \g /dev/null
reset role;
update pgthreads.turn set lease_until = clock_timestamp() where turn_id = 't4';
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select results_eq(
  $$ select status from pgthreads.finish_turn('alice', 'k2', 't4', 'failed', '{"tokens": 1}') $$,
  array['failed'], 'a turn past its lease records its end'
);

-- A turn that was to give another answer, and says nothing, does not get the stored answer's id.
select pgthreads.begin_turn('alice', 'k3', test.message('u'), 't5') \g /dev/null
select pgthreads.append_thread('alice', 'k3',
  jsonb_build_array(test.message('a', 'first', 'assistant')), 1, 't5') \g /dev/null
select pgthreads.finish_turn('alice', 'k3', 't5', 'completed') \g /dev/null
select pgthreads.begin_turn('alice', 'k3', test.message('u'), 't6', p_replaces => 'a',
  p_regenerate => true) \g /dev/null
select results_eq(
  $$ select status, assistant_message_id from pgthreads.finish_turn('alice', 'k3', 't6',
    'failed') $$,
  $$ values ('failed', null::text) $$, 'an empty answer is not the one before it'
);

select * from finish();
rollback;
