-- ANSWER_BELONGS_TO_QUESTION: a turn answers the last user message that the page shows.
begin;
select plan(47);
\ir ../helpers.psql

create function test.ids(p_messages json)
returns text
language sql
return (
  select string_agg(e.value ->> 'id', ' ' order by e.place)
  from json_array_elements(p_messages) with ordinality as e (value, place)
);
-- The turn of a page's request: its last user message and what it names, if anything.
create function test.page(
  p_key text, p_turn text, p_id text, p_text text, p_replaces text default null,
  p_regenerate boolean default true, p_busy text default 'reject')
returns table (outcome text, turn_id text, message_count int, history text, answer text)
language sql
as $$
  select b.outcome, b.turn_id, b.message_count, test.ids(b.history), b.answer ->> 'id'
  from pgthreads.begin_turn('alice', p_key, test.message(p_id, p_text), p_turn,
    p_replaces => p_replaces, p_regenerate => p_regenerate, p_busy => p_busy,
    p_on_stale => 'append') as b;
$$;
create function test.finish(p_key text, p_turn text, p_answer text,
  p_status text default 'completed')
returns text
language sql
as $$
  select f.status
  from pgthreads.append_thread('alice', p_key, case
      when p_answer is null then '[]'
      else jsonb_build_array(test.message(p_answer, 'answer', 'assistant'))
    end, null, p_turn) as a,
    pgthreads.finish_turn('alice', a.state_key, p_turn, p_status) as f;
$$;
grant execute on all functions in schema test to public;

set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select count(*) from pgthreads.append_thread('alice', 'k', jsonb_build_array(
  test.message('u1', 'one'), test.message('a1', 'first', 'assistant'),
  test.message('u2', 'two'), test.message('a2', 'second', 'assistant'))) \gset

-- A question that never arrived.
select results_eq(
  $$ select outcome, message_count, history from test.page('k', 't1', 'u3', 'three') $$,
  $$ values ('started', 5, 'u1 a1 u2 a2 u3') $$, 'one that is not stored is appended and answered'
);
select results_eq(
  $$ select outcome, turn_id from test.page('k', 't2', 'u3', 'three') $$,
  $$ values ('running', 't1') $$, 'sent again while its turn runs it attaches'
);
select is(test.finish('k', 't1', null, 'failed'), 'failed', 'its turn fails with nothing');
select results_eq(
  $$ select outcome, message_count, history from test.page('k', 't2', 'u3', 'three') $$,
  $$ values ('started', 5, 'u1 a1 u2 a2 u3') $$, 'and it is answered where it stands'
);
select is(test.finish('k', 't2', 'a3'), 'completed', 'with an answer');

-- A question that is stored, anywhere in the thread.
select results_eq(
  $$ select outcome, message_count, history from test.page('k', 't3', 'u1', 'one') $$,
  $$ values ('started', 6, 'u1') $$, 'a stored one is answered again on its branch'
);
select is(
  test.ids(pgthreads.load_thread('alice', 'k')), 'u1',
  'meanwhile the thread is shown up to the question'
);
select is(
  (select string_agg(m.message ->> 'id', ' ' order by m.seq)
   from pgthreads.read_messages('alice', 'k') as m), 'u1', 'as rows, too'
);
select is(
  (select test.ids(r.messages) from pgthreads.read_thread('alice', 'k') as r), 'u1',
  'and with its header'
);
select is(
  (select test.ids(r.messages) from pgthreads.read_thread('alice', 'k', p_leaf_id => 'a3') as r),
  'u1 a1 u2 a2 u3 a3', 'a leaf that is named is shown as it is'
);
select digest as replaced from pgthreads.read_thread('alice', 'k') \gset
select isnt(
  :'replaced', (select digest from pgthreads.read_thread('alice', 'k', p_leaf_id => 'a3')),
  'what is shown has a digest of its own'
);
select is(
  (select messages::text from pgthreads.read_thread('alice', 'k', p_known_digest => :'replaced')),
  null, 'by which it is known'
);
select is(
  (select appended from pgthreads.save_thread('alice', 'k',
    jsonb_build_array(test.message('u1', 'one')))), 0, 'saved as it was loaded it stays as it is'
);
select is(test.finish('k', 't3', null, 'failed'), 'failed', 'the turn fails with nothing');
select is(
  test.ids(pgthreads.load_thread('alice', 'k')), 'u1 a1 u2 a2 u3 a3',
  'then what was there before is shown again'
);
select results_eq(
  $$ select outcome, history from test.page('k', 't4', 'u2', 'two', 'a2') $$,
  $$ values ('started', 'u1 a1 u2') $$, 'with the answer that it replaces'
);
select is(test.finish('k', 't4', 'b2'), 'completed', 'which gets another one beside it');
select is(test.ids(pgthreads.load_thread('alice', 'k')), 'u1 a1 u2 b2', 'that one is read');
select results_eq(
  $$ select outcome, answer from test.page('k', 't5', 'u2', 'two', 'a2') $$,
  $$ values ('answered', 'b2') $$, 'the same call again, and that answer comes back'
);
select results_eq(
  $$ select outcome, answer from test.page('k', 't4', 'u2', 'two') $$,
  $$ values ('answered', 'b2') $$, 'also if nothing but its turn is the same'
);
select results_eq(
  $$ select outcome, history from test.page('k', 't5', 'u2', 'two', 'b2') $$,
  $$ values ('started', 'u1 a1 u2') $$, 'the newest answer anew is another wish'
);
select is(test.finish('k', 't5', null, 'failed'), 'failed', 'that fails');
select results_eq(
  $$ select outcome, history from test.page('k', 't6', 'u2', 'two', 'lost') $$,
  $$ values ('started', 'u1 a1 u2') $$, 'an answer that was never stored is no obstacle'
);
select is(test.finish('k', 't6', null, 'failed'), 'failed', 'that fails, too');

-- Requests that do not fit the thread.
select test.refuses(
  format('select * from test.page(%L, %L, %L, %L, %L)', 'k', 't7', v.id, v.text, v.replaces),
  v.state, v.detail, v.hint, v.what
)
from (values
  (1, 'an answer to another question', 'u1', 'one', 'a2', 'THSTL',
    'Message %a2% is no answer to %u1%',
    '%Load the thread again%'),
  (2, 'another question', 'u1', 'one', 'u2', 'THSTL', null, null),
  (3, 'an answer, and a question that is not stored', 'u9', 'nine', 'a2', 'THSTL', null, null),
  (4, 'the id of an answer', 'a1', 'one', null, 'THDUP', '%not a user message.',
    '%no other message has%')
) as v (place, what, id, text, replaces, state, detail, hint)
order by v.place;
select test.refuses(
  $$ select pgthreads.begin_turn('alice', 'k', test.message('u1', 'one'), 't7',
    p_on_stale => 'x') $$,
  '22023', 'p_on_stale is ''x''.', '%append, branch or reject%', 'an unknown policy'
);
select test.refuses(
  $$ select * from test.page('k', 't7', 'u8', ' ') $$, 'THMSG', null, null,
  'a new question has to be one'
);
select is(
  (select message_count from pgthreads.read_thread('alice', 'k')), 7, 'nothing of this is stored'
);

-- A failed edit: the page keeps the id, and names no message.
select results_eq(
  $$ select outcome, history from test.page('k', 't8', 'u1', 'uno', 'u1', false) $$,
  $$ values ('started', 'u1~' || left(encode(sha256(convert_to(
    (test.message('', 'uno') - 'id')::text, 'UTF8')), 'hex'), 16)) $$,
  'an edit is a sibling, named after its text'
);
select is(test.finish('k', 't8', null, 'failed'), 'failed', 'its answer fails');
select results_eq(
  $$ select outcome, message_count, history from test.page('k', 't9', 'u1', 'uno') $$,
  $$ values ('started', 8, test.ids(pgthreads.load_thread('alice', 'k'))) $$,
  'a retry answers the sibling'
);
select is(test.finish('k', 't9', 'c1'), 'completed', 'with an answer');
select results_eq(
  $$ select outcome, message_count, history like 'u1~%' from test.page('k', 't10', 'u1', 'due') $$,
  $$ values ('started', 10, true) $$, 'an edit that never arrived is appended by its retry'
);
select is(test.finish('k', 't10', 'd1'), 'completed', 'and answered');

-- An edit back to an earlier text is a new wish, not a repetition.
select results_eq(
  $$ select outcome, message_count, history ~ '^u1~[0-9a-f]{16}[.]2$'
    from test.page('k', 't11', 'u1', 'uno', 'u1', false) $$,
  $$ values ('started', 12, true) $$, 'the same text once more is a sibling of its own'
);
select is(test.finish('k', 't11', 'e1'), 'completed', 'with its answer');
select results_eq(
  $$ select outcome, answer from test.page('k', 't12', 'u1', 'uno', 'u1', false) $$,
  $$ values ('answered', 'e1') $$, 'sent again it finds itself'
);
select matches(
  test.ids(pgthreads.load_thread('alice', 'k')), '^u1~[0-9a-f]{16}[.]2 e1$',
  'and the thread is what the page shows'
);
select is(
  (select answer from test.page('k', 't12', 'u1', 'due')), null,
  'an edit that another one has passed over is answered again'
);
select is(test.finish('k', 't12', 'f1'), 'completed', 'under its own name');
select matches(
  test.ids(pgthreads.load_thread('alice', 'k')), '^u1~[0-9a-f]{16} f1$', 'as the thread shows'
);
select results_eq(
  $$ select outcome, message_count from test.page('k', 't13', 'u1', 'due', 'u1', false) $$,
  $$ values ('answered', 14) $$, 'an edit to what the newest branch asks is its repetition'
);
select results_eq(
  $$ select outcome from test.page('k', 't13', 'u1', 'one', 'u1', false) $$,
  $$ values ('started') $$, 'and one that goes back to the first text begins anew'
);
select is(test.finish('k', 't13', 'g1'), 'completed', 'with an answer');

select * from finish();
rollback;
