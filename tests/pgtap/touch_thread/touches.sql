-- Every change of a thread that is no append leaves the transaction's id in touched_xid. Whoever
-- adds a function that changes threads has to do the same, or else clients do not hear of it.
begin;
select plan(17);
\ir ../waiting.psql

-- Whether a call of the server has touched the thread of a key.
create function test.touches(p_sql text, p_description text, p_touches boolean default true)
returns text
language plpgsql
as $$
declare
  v_touched xid8;
begin
  -- Under a savepoint: a call does not touch what its own transaction has changed already.
  begin
    update pgthreads.thread set touched_xid = null;
  exception
    when sqlstate 'THNON' then
      null;
  end;
  set local role tap_server;
  perform pgthreads.set_tenant('alice');
  execute p_sql;
  reset role;
  select max(t.touched_xid::text)::xid8 into v_touched from pgthreads.thread as t;
  return is(v_touched, case when p_touches then pg_current_xact_id() end, p_description);
end;
$$;

select test.touches(
  $$ select pgthreads.append_thread('alice', 'k', test.messages(1, 2)) $$,
  'an append does not', false
);
select test.touches(
  $$ select pgthreads.begin_turn('alice', 'k', test.message('u1'), 't1') $$,
  'nor does a turn that begins with a message', false
);
select test.touches(
  $$ select pgthreads.complete_turn('alice', 'k', 't1', 'completed',
    test.message('a1', 'yes', 'assistant')) $$, 'or ends with one', false
);
select test.touches(
  $$ select pgthreads.begin_turn('alice', 'k', test.message('u1'), 't2', p_regenerate => true,
    p_on_stale => 'append') $$, 'a turn that begins without a message'
);
select test.touches(
  $$ select pgthreads.complete_turn('alice', 'k', 't2', 'failed', null, null, 'boom') $$,
  'one that ends without'
);
select test.touches(
  $$ select pgthreads.begin_turn('alice', 'k', test.message('u2'), 't3'),
    pgthreads.append_thread('alice', 'k', jsonb_build_array(
      test.message('a2', 'yes', 'assistant')), null, 't3'),
    pgthreads.finish_turn('alice', 'k', 't3', 'completed') $$,
  'finish_turn does not in the transaction of the append', false
);
select test.touches(
  $$ select pgthreads.update_thread('alice', 'k', 'Title') $$, 'a new title'
);
select test.touches(
  $$ select pgthreads.update_thread('alice', 'k', null, '{"a": 1}') $$, 'metadata'
);
select test.touches(
  $$ select pgthreads.begin_turn('alice', 'k', test.message('u3'), 't4'),
    pgthreads.pause_turn('alice', 'k', 't4',
      test.answer('a3', test.call('c1'), test.call('c2'))) $$,
  'an answer that waits'
);
select test.touches(
  $$ select pgthreads.respond_turn('alice', 'k', 'a3',
    '[{"toolCallId": "c1", "approved": true}]', 't5') $$, 'a response'
);
select test.touches(
  $$ select pgthreads.respond_turn('alice', 'k', 'a3',
    '[{"toolCallId": "c2", "approved": false}]') $$, 'the last one'
);
select test.touches(
  $$ select pgthreads.respond_turn('alice', 'k', 'a3', '[]', 't5') $$, 'the turn that goes on'
);
select pgthreads.finish_turn('alice', 'k', 't5', 'completed') \g /dev/null
select test.touches(
  $$ select pgthreads.begin_turn('alice', 'k', test.message('u4'), 't6') $$, 'a turn', false
);
update pgthreads.turn set lease_until = clock_timestamp() where turn_id = 't6';
select test.touches(
  $$ select pgthreads.end_lost_turns('alice') $$, 'one that is lost without an answer'
);
select test.touches(
  $$ select pgthreads.soft_delete_thread('alice', 'k') $$, 'a deletion'
);

select ok(exists (
  select
  from pg_proc as p
  where p.pronamespace = 'pgthreads'::regnamespace
    and p.prosrc ~ 'update pgthreads[.]thread as t\M'
    and p.proname = 'update_thread'
), 'functions that update threads are found by their text');
select is(array(
  select p.proname
  from pg_proc as p
  cross join regexp_matches(p.prosrc, 'update pgthreads[.]thread\M[^;]*', 'g') as u (text)
  where p.pronamespace = 'pgthreads'::regnamespace
    -- They move recent_at, or are about to append.
    and p.proname not in ('write_messages', 'append_thread')
    and u.text[1] !~ 'touched_xid = pg_current_xact_id\(\)'
), array[]::name[], 'and all of them do that');

select * from finish();
rollback;
