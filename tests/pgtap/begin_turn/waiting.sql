-- What a turn that begins does to an answer that waits.
begin;
select plan(38);
\ir ../waiting.psql

create function test.begins(p_key text, p_message jsonb, p_turn_id text, variadic p_more text[])
returns text language plpgsql as $$
declare
  v_result record;
begin
  execute format('select b.outcome, b.message_count, b.answer, b.turn_id,
    (select string_agg(h.value ->> ''id'', '' '' order by h.place)
      from json_array_elements(b.history) with ordinality as h (value, place)) as history
    from pgthreads.begin_turn(''alice'', %L, %L, %L%s) as b', p_key, p_message, p_turn_id,
    array_to_string(array[''] || array_remove(p_more, ''), ', '))
  into strict v_result;
  return concat_ws(' ', v_result.outcome, v_result.turn_id, v_result.message_count,
    test.states(v_result.answer::jsonb), v_result.history);
end;
$$;

-- A new message.
select test.waits('alice', key) from unnest(array['new', 'again', 'regen', 'edit', 'branch', 'busy',
  'run', 'old']) as key \g /dev/null
set local role tap_server;
select pgthreads.respond_turn('alice', 'new', 'a1', '[{"toolCallId": "c2", "output": 1}]')
  \g /dev/null
select is(test.begins('new', test.message('u2'), 't2', ''), 'started t2 3 u1 a1 u2',
  'a new message begins its turn, behind the answer');
select is(
  test.shown('alice', 'new'),
  array['1: u1', '2: a1 stopped c1 output-denied not answered, c2 output-available', '3: u2'],
  'which is closed: what nobody approved is denied, what was given stays'
);
select is(test.open_answers() @> array['new a1 t1'], false, 'it does not wait any more');
select is((select ok from pgthreads.verify_thread('alice', 'new')), true, 'the chain holds');
select is(test.begins('new', test.message('u2'), 't2', ''), 'started t2 3 u1 a1 u2',
  'the same call again begins nothing twice');
select test.refuses(
  $$ select pgthreads.respond_turn('alice', 'new', 'a1',
    '[{"toolCallId": "c1", "approved": true}]') $$,
  'THWAI', 'Message ''a1'' of thread new does not wait.', null, 'a response comes too late then'
);
select is(
  (select r.outcome from pgthreads.respond_turn('alice', 'new', 'a1',
    '[{"toolCallId": "c2", "output": 1}]') as r),
  'answered', 'one that was given is known still'
);

-- The message that is answered already.
select test.everything() as everything \gset
select is(test.begins('again', test.message('u1'), 't2', ''),
  'answered 1 c1 approval-requested, c2 input-available',
    'its question again has it for an answer');
select is(test.begins('again', test.message('u1'), 't2', 'p_busy => ''enqueue'''),
  'answered 1 c1 approval-requested, c2 input-available', 'whatever waits for whom');
select is(test.begins('again', test.message('u1'), 't1', 'p_parent_id => ''''',
  'p_on_stale => ''branch'''),
  'answered 1 c1 approval-requested, c2 input-available', 'and whatever the page shows');
select ok(test.everything() = :'everything', 'and nothing changes');

-- Regenerate.
select is(test.begins('regen', test.message('u1'), 't2', 'p_replaces => ''a1''',
  'p_regenerate => true', 'p_on_stale => ''append'''), 'started t2 2 u1',
    'another answer is asked for');
select is(test.shown('alice', 'regen'), array['1: u1'],
  'it takes the place of the one that waited');
select pgthreads.pause_turn('alice', 'regen', 't2', test.answer('a2', test.call('c3'))) \g /dev/null
select is(test.shown('alice', 'regen'), array['1: u1', '3: a2 c3 approval-requested'],
  'it may wait as well, on its branch');
select test.everything() as everything \gset
select is(test.begins('regen', test.message('u1'), 't3', 'p_replaces => ''a1''',
  'p_regenerate => true', 'p_on_stale => ''append'''), 'answered 2 c3 approval-requested',
  'the same wish again is the repetition of that');
select is(test.begins('regen', test.message('u1'), 't2', 'p_regenerate => true',
  'p_on_stale => ''append'''), 'answered 2 c3 approval-requested', 'so is its own turn');
select ok(test.everything() = :'everything', 'and nothing changes');
select is(test.begins('regen', test.message('u1'), 't4', 'p_replaces => ''a2''',
  'p_regenerate => true', 'p_on_stale => ''append'''), 'started t4 3 u1',
  'another answer than that is another wish');
select pgthreads.complete_turn('alice', 'regen', 't4', 'completed', test.message('a3', 'x',
  'assistant')) \g /dev/null
select is(
  array(select b.leaf_id || ' ' || b.message_count from pgthreads.list_branches('alice', 'regen')
    as b),
  array['a3 2', 'a2 2', 'a1 2'], 'each is a branch'
);
select is((select ok from pgthreads.verify_thread('alice', 'regen')), true, 'the chain holds');
select is(test.begins('old', null, 't2', 'p_replaces => ''a1'''), 'started t2 2 u1',
  'an answer that waits may be named alone');
select test.waits('alice', 'old2') \g /dev/null
select is(test.begins('old2', null, 't2', 'p_regenerate => true'), 'started t2 2 u1',
  'or not at all: it is the newest one');

-- Edit.
select is(test.begins('edit', test.message('e1', 'other'), 't2', 'p_replaces => ''u1''',
  'p_on_stale => ''append''') ~ '^started t2 3 u1~[0-9a-f]{16}$', true,
  'an edited question begins a branch');
select pgthreads.pause_turn('alice', 'edit', 't2', test.answer('a2', test.call('c3'))) \g /dev/null
select test.everything() as everything \gset
select is(test.begins('edit', test.message('e1', 'other'), 't3', 'p_replaces => ''u1''',
  'p_on_stale => ''append'''), 'answered 3 c3 approval-requested',
    'the same edit again changes nothing');
select ok(test.everything() = :'everything', 'at all');
select is(test.begins('edit', test.message('e1'), 't4', 'p_replaces => ''u1''',
  'p_on_stale => ''append''') ~ '^started t4 5 u1~[0-9a-f]{16}$', true,
  'an edit back closes it, and begins another branch');
select is((select ok from pgthreads.verify_thread('alice', 'edit')), true, 'the chain holds');

-- Where a message goes whose page shows the answer that waits.
select is(test.begins('branch', test.message('u2'), 't2', 'p_parent_id => ''a1''',
  'p_on_stale => ''reject'''), 'started t2 3 u1 a1 u2', 'a page that shows it is not stale');
select is(test.shown('alice', 'branch'),
  array['1: u1', '2: a1 stopped c1 output-denied not answered, c2 output-error not answered',
    '3: u2'],
  'what the client did not do is an error'
);

-- While a turn continues it.
select pgthreads.respond_turn('alice', 'run', 'a1', test.both_responses(), 't2') \g /dev/null
select is(test.begins('run', test.message('u1'), 't3', ''), 'running t2 1',
  'its question is running');
select test.refuses($$ select pgthreads.begin_turn('alice', 'run', test.message('u2'), 't3') $$,
  'THTRN', null, null, 'another one is refused');
select is(test.begins('run', test.message('u2'), 't3', 'p_busy => ''enqueue'''), 'waiting t2 1',
  'or waits');
select is(test.begins('run', test.message('u2'), 't3', 'p_busy => ''interrupt'''), 'waiting t2 1',
  'or asks it to stop');
select is((select stop_requested from pgthreads.extend_turn('alice', 'run', 't2')), true,
  'as any turn');
select pgthreads.complete_turn('alice', 'run', 't2', 'stopped',
  pgthreads_closed) from (
    select test.answer('a1', test.call('c1', 'output-error', 'send_mail',
      '{"errorText": "stopped", "approval": {"id": "ap-c1", "approved": true}}'))
        as pgthreads_closed
  ) as c \g /dev/null
select is(test.begins('run', test.message('u2'), 't3', 'p_busy => ''interrupt'''),
  'started t3 3 u1 a1 u2', 'and begins behind it');
select is(test.begins('busy', test.message('u2'), 't2', 'p_busy => ''enqueue'''),
  'started t2 3 u1 a1 u2', 'an answer that waits keeps nobody waiting');

-- An older question that was never answered.
select pgthreads.append_thread('alice', 'two', test.messages(1, 1)) \g /dev/null
select pgthreads.append_thread('alice', 'two', jsonb_build_array(test.message('a0', 'x',
  'assistant'),
  test.message('u2'))) \g /dev/null
select pgthreads.begin_turn('alice', 'two', test.message('m1', 'text 1'), 't1',
  p_regenerate => true,
  p_on_stale => 'append') \g /dev/null
select pgthreads.pause_turn('alice', 'two', 't1', test.answer('a1', test.call('c1'))) \g /dev/null
select is(test.shown('alice', 'two'), array['1: m1', '4: a1 c1 approval-requested'],
  'an answer to an earlier question waits');
select is(test.begins('two', test.message('u2'), 't2', ''), 'started t2 4 m1 a0 u2',
  'the last question is answered where it stands, and the answer that waits is closed');

select * from finish();
rollback;
