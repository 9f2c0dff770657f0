-- A turn whose worker has died leaves its journal, of which the next message, a repetition, an
-- append or reap_turns makes a partial answer.
begin;
select plan(40);
\ir ../operators.psql
select pgthreads.set_tenant('alice') \gset

-- The next message.
select test.journaled('alice', 'next', 't1', 'half an ');
set local role tap_server;
select results_eq(
  $$ select outcome, message_count, json_array_length(history), history -> 1 ->> 'id'
    from pgthreads.begin_turn('alice', 'next', test.message('u2'), 't2') $$,
  $$ values ('started', 3, 3, 'a-t1') $$, 'the partial answer comes before the next message'
);
select is(
  test.said('alice', 'next'),
  array['user: hello', 'assistant: half an : abandoned', 'user: hello'], 'as abandoned'
);
select is(test.journal(), array[]::text[], 'its journal is deleted');
select is((select ok from pgthreads.verify_thread('alice', 'next')), true, 'the chain fits');
reset role;
select results_eq(
  $$ select turn_id collate "default", status, assistant_message_id collate "default",
      lease_until < clock_timestamp()
    from pgthreads.turn where state_key = 'next' order by turn_id $$,
  $$ values ('t1', 'abandoned', 'a-t1', true), ('t2', 'running', null, false) $$,
  'the turn knows its answer'
);

-- A repetition of the message whose turn died.
select test.journaled('alice', 'again', 't1', 'half an ');
set local role tap_server;
select results_eq(
  $$ select outcome, turn_id, message_count, answer ->> 'id', answer #>> '{metadata,status}'
    from pgthreads.begin_turn('alice', 'again', test.message('u-t1'), 't2') $$,
  $$ values ('answered', null, 2, 'a-t1', 'abandoned') $$, 'a repeated message is answered by it'
);
select results_eq(
  $$ select outcome, answer ->> 'id'
    from pgthreads.begin_turn('alice', 'again', test.message('u-t1'), 't2') $$,
  $$ values ('answered', 'a-t1') $$, 'and stays so'
);
reset role;

-- If the dead turn had sent nothing, a new turn answers.
select pgthreads.begin_turn('alice', 'empty', test.message('u1'), 't1') \g /dev/null
select pgthreads.write_journal('alice', 'empty', 't1', 0,
  E'data: {"type":"start","messageId":"a1"}\n\ndata: {"type":"start-step"}\n\n') \g /dev/null
update pgthreads.turn set lease_until = now() - interval '1 second' where state_key = 'empty';
set local role tap_server;
select results_eq(
  $$ select outcome, message_count
    from pgthreads.begin_turn('alice', 'empty', test.message('u1'), 't2') $$,
  $$ values ('started', 1) $$, 'nothing but a step is no answer'
);
select is(test.journal(), array[]::text[], 'and is deleted, too');
reset role;

-- A partial answer can be regenerated like any other, and so gets a sibling.
select test.journaled('alice', 'anew-' || v, 't1', 'half an ')
  from generate_series(1, 3) as v \g /dev/null
set local role tap_server;
select results_eq(
  $$ select outcome, message_count, history #>> '{-1,id}' from pgthreads.begin_turn(
      'alice', 'anew-1', null, 't2', p_replaces => 'a-t1', p_regenerate => true) $$,
  $$ values ('started', 2, 'u-t1') $$, 'the answer that its client had seen, by its id'
);
select results_eq(
  $$ select outcome, message_count, history #>> '{-1,id}' from pgthreads.begin_turn(
      'alice', 'anew-2', null, 't2', p_regenerate => true) $$,
  $$ values ('started', 2, 'u-t1') $$, 'the newest answer'
);
select results_eq(
  $$ select outcome, message_count, left(history #>> '{-1,id}', 5) from pgthreads.begin_turn(
      'alice', 'anew-3', test.message('u-t1', 'edited'), 't2', p_replaces => 'u-t1') $$,
  $$ values ('started', 3, 'u-t1~') $$, 'the question, edited'
);
reset role;

-- An append.
select test.journaled('alice', 'append', 't1', 'half an ');
set local role tap_server;
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'append', test.messages(1, 2), 2) $$, 'THCNT',
  'Thread append has 1 messages, but the caller expected 2.', null, 'a count is that of before'
);
select results_eq(
  $$ select * from pgthreads.append_thread('alice', 'append', test.messages(1, 2), 1) $$,
  $$ values ('append', 4, 2) $$, 'and right then'
);
select is(
  test.said('alice', 'append'),
  array['user: hello', 'assistant: half an : abandoned', 'user: text 1', 'user: text 2'],
  'the partial answer comes first'
);
reset role;
select test.journaled('alice', 'same-id', 't1', 'half an ');
set local role tap_server;
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'same-id', jsonb_build_array(test.message('a-t1'))) $$,
  'THDUP', null, null, 'a message that takes the partial answer''s id is refused'
);
reset role;

-- The turn of a branch.
select pgthreads.append_thread('alice', 'branch', jsonb_build_array(
  test.message('u'), test.message('a', 'first', 'assistant'), test.message('v'))) \g /dev/null
select pgthreads.begin_turn('alice', 'branch', null, 't1', p_replaces => 'a') \g /dev/null
select pgthreads.write_journal('alice', 'branch', 't1', 0, test.frames('b', 'second')) \g /dev/null
update pgthreads.turn set lease_until = now() - interval '1 second' where state_key = 'branch';
select pgthreads.append_thread('alice', 'branch', jsonb_build_array(test.message('w'))) \g /dev/null
select results_eq(
  $$ select message_id collate "default", parent_seq
    from pgthreads.message where state_key = 'branch' order by seq $$,
  $$ values ('u', null), ('a', null), ('v', null), ('b', 1), ('w', null) $$,
  'it continues what its turn answered'
);

-- It is redacted like any other answer.
select test.journaled('alice', 'secret', 't1', 'the key is sk-abcdefghijklmnopqrstuvwx');
select pgthreads.append_thread('alice', 'secret', '[]') \g /dev/null
select is(
  (test.said('alice', 'secret'))[2],
  'assistant: the key is [REDACTED:provider_api_key]: abandoned', 'it is redacted'
);

-- A stream without an id of the message.
select pgthreads.begin_turn('alice', 'no-id', test.message('u'), 'the-turn') \g /dev/null
select pgthreads.write_journal('alice', 'no-id', 'the-turn', 0,
  E'data: {"type":"text-start","id":"0"}\n\n') \g /dev/null
update pgthreads.turn set lease_until = now() - interval '1 second' where state_key = 'no-id';
select pgthreads.append_thread('alice', 'no-id', '[]') \g /dev/null
select is(
  pgthreads.load_thread('alice', 'no-id') #>> '{1,id}', 'the-turn', 'it gets that of the turn'
);

-- A partial answer that cannot be stored is left out, and the thread goes on.
select pgthreads.begin_turn('alice', 'bad-' || n, test.message('u'), 't1')
from generate_series(1, 5) as n \g /dev/null
select pgthreads.write_journal('alice', 'bad-' || v.n, 't1', 0, v.frames)
from (values
  (1, E'not a stream'),
  (2, E'data: {"type"\n\n'),
  (3, E'data: {"type":"file","mediaType":"a"}\n\n'),
  (4, test.frames('u', 'the id of the question')),
  (5, test.frames('a', repeat('x', 1048576)))
) as v (n, frames) \g /dev/null
update pgthreads.turn set lease_until = now() - interval '1 second' where state_key like 'bad-%';
set local client_min_messages = error;
select results_eq(
  format($$ select outcome, message_count
    from pgthreads.begin_turn('alice', 'bad-%s', test.message('v'), 't2') $$, n),
  $$ values ('started', 2) $$, 'left out: ' || n
)
from generate_series(1, 5) as n;
select is(
  (select count(*) from pgthreads.turn
   where state_key like 'bad-%' and status = 'abandoned' and assistant_message_id is null),
  5::bigint, 'and the turns are closed'
);
select results_eq(
  $$ select n.state_key collate "default", n.error_code, l.sqlstate
    from pgthreads.turn as n
    left join pgthreads.late_answer as l using (owner_user_id, state_key, turn_id)
    where n.state_key like 'bad-%' and n.status = 'abandoned' order by 1 $$,
  $$ values ('bad-1', null, null), ('bad-2', 'partial_unreadable', null),
    ('bad-3', 'partial_refused', 'THMSG'), ('bad-4', 'partial_refused', 'THDUP'),
    ('bad-5', 'partial_refused', 'THMAX') $$,
  'why is told, and what was refused is kept'
);

-- Whatever fails, the turn is closed.
create function test.fail() returns trigger language plpgsql as $$
begin
  perform pg_sleep(case new.message_id when 'a-slow' then 10 else 0 end);
  raise exception 'no' using errcode = case new.message_id when 'a-later' then '40001'
    else 'XX000' end;
end;
$$;
create trigger fails before insert on pgthreads.message
for each row when (new.message_id in ('a-fails', 'a-slow', 'a-later')) execute function test.fail();
select test.journaled('alice', 'fails', 'fails', 'x');
select test.journaled('alice', 'later', 'later', 'x');
select test.journaled('alice', 'slow', 'slow', 'x');
select results_eq(
  $$ select outcome, message_count from pgthreads.begin_turn('alice', 'fails', test.message('v'),
    't2') $$,
  $$ values ('started', 2) $$, 'an error of any kind'
);
select throws_ok(
  $$ select pgthreads.begin_turn('alice', 'later', test.message('v'), 't2') $$, '40001', null,
  'but what passes by itself is tried again'
);
create function test.is_cancelled(p_statement text) returns boolean language plpgsql as $$
begin
  execute p_statement;
  return false;
exception
  when query_canceled then
    return true;
end;
$$;
set local statement_timeout = '200ms';
select ok(
  test.is_cancelled($$ select pgthreads.begin_turn('alice', 'slow', test.message('v'), 't2') $$),
  'a call that is cancelled soon gives nothing up'
);
set local statement_timeout = '1200ms';
select results_eq(
  $$ select outcome, message_count from pgthreads.begin_turn('alice', 'slow', test.message('v'),
    't2') $$,
  $$ values ('started', 2) $$, 'one that took long does'
);
reset statement_timeout;
select results_eq(
  $$ select state_key collate "default", status, error_code from pgthreads.turn
    where turn_id in ('fails', 'later', 'slow') order by 1 $$,
  $$ values ('fails', 'abandoned', 'partial_refused'), ('later', 'running', null),
    ('slow', 'abandoned', 'partial_too_slow') $$,
  'and why is told'
);
drop trigger fails on pgthreads.message;

-- A journal that is longer than its budget.
update pgthreads.config set max_partial_bytes = 2000;
select pgthreads.begin_turn('alice', 'large', test.message('u'), 't1') \g /dev/null
select pgthreads.write_journal('alice', 'large', 't1', 0, test.frames('a', 'begins')) \g /dev/null
select w.end_offset as end from pgthreads.write_journal('alice', 'large', 't1', (
  select max(end_offset) from pgthreads.journal where state_key = 'large'), (
  select string_agg(format(
    E'data: {"type":"text-delta","id":"t0","delta":" %s"}\n\n', n), '' order by n)
  from generate_series(1, 1000) as n)) as w \gset
update pgthreads.turn set lease_until = now() - interval '1 second' where state_key = 'large';
select results_eq(
  $$ select outcome, message_count from pgthreads.begin_turn('alice', 'large', test.message('v'),
    't2') $$,
  $$ values ('started', 3) $$, 'is a partial answer all the same'
);
select matches(
  (test.said('alice', 'large'))[2], '^assistant: begins 1 2 3( [0-9]+){20,40}: abandoned$',
  'of what came first'
);
select is(
  (select error_code from pgthreads.turn where state_key = 'large' and status = 'abandoned'),
  'partial_too_large', 'and its turn tells'
);
select is((select max_partial_bytes from pgthreads.config), 2000, 'by the limit in config');

-- Nothing happens while the lease holds.
select test.journaled('alice', 'alive', 't1', 'half an ', false);
select is(pgthreads.abandon_turn('alice', 'alive', 't1'), 0, 'a turn that has its lease is left');
select is(pgthreads.abandon_turn('alice', 'alive', 'other'), 0, 'and so is one that is none');
select is(pgthreads.reap_turn('alice', 'alive', 't1'), 0, 'by the reaper, too');
select is((select status from pgthreads.turn where state_key = 'alive'), 'running', 'it runs');
select is((select count(*) from pgthreads.journal where state_key = 'alive'), 1::bigint,
  'and has its journal');

select * from finish();
rollback;
