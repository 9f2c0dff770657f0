-- Refused calls change nothing; usage that is refused is left out.
begin;
select plan(22);
\ir ../helpers.psql

set local role tap_server;
select test.refuses(
  $$ select pgthreads.complete_turn('alice', 'k', 't', 'completed') $$, 'THTEN', null, null,
  'no tenant'
);
select pgthreads.set_tenant('alice') \gset
select pgthreads.begin_turn('alice', 'k', test.message('u1'), 't1') \g /dev/null
select test.refuses(
  format('select pgthreads.complete_turn(%L, %L, %L, %L, test.message(%L, %L, %L))',
    'bob', 'k', 't1', 'completed', 'a1', 'answer', 'assistant'),
  'THTEN', null, null, 'another owner than the tenant'
);
select test.refuses(
  format('select pgthreads.complete_turn(%L, %L, %L, %L, test.message(%L, %L, %L))',
    'alice', v.key, v.turn, 'completed', 'a1', 'answer', 'assistant'),
  v.state, null, null, format('key %L, turn %L', v.key, v.turn)
)
from (values
  ('k', 't9', 'THLST'), ('k', null, 'THTRN'), ('other', 't1', 'THLST'), ('no key', 't1', 'THKEY'),
  (null, 't1', 'THLST')
) as v (key, turn, state);
select test.refuses(
  format('select pgthreads.complete_turn(%L, %L, %L, %L, test.message(%L, %L, %L))',
    'alice', 'k', 't1', v.status, 'a1', 'answer', 'assistant'),
  '22023', format('p_status is %s.', coalesce(quote_literal(v.status), 'null')),
  '%completed, stopped or failed%', format('status %L', v.status)
)
from (values ('running'), ('abandoned'), (null)) as v (status);

-- The message.
select test.refuses(
  $$ select pgthreads.complete_turn('alice', 'k', 't1', 'completed', '{"id": "a1", "role": "tool"}',
    '{"tokens": 5}', null, 0, 'x') $$,
  'THMSG', 'messages[0]: %', null, 'no UIMessage'
);
select test.refuses(
  $$ select pgthreads.complete_turn('alice', 'k', 't1', 'completed', 'null') $$,
  'THMSG', 'messages[0]: %', null, 'a JSON null is no message'
);
select test.refuses(
  $$ select pgthreads.complete_turn('alice', 'k', 't1', 'completed',
    test.message('u1', 'another', 'assistant')) $$,
  'THDUP', 'Thread k holds a different message ''u1''.', null,
  'an id that is stored with other content'
);
select test.refuses(
  $$ select pgthreads.complete_turn('alice', 'k', 't1', 'completed',
    test.message('a1', repeat('x', 1048576), 'assistant')) $$,
  'THMAX', null, null, 'too large a message'
);
reset role;
update pgthreads.config set max_messages = 1;
set local role tap_server;
select test.refuses(
  $$ select pgthreads.complete_turn('alice', 'k', 't1', 'completed',
    test.message('a1', 'answer', 'assistant')) $$,
  'THMAX', 'Thread k has 1 messages; the limit is 1.', null, 'a thread that is full'
);
reset role;
update pgthreads.config set max_messages = 100;
set local role tap_server;

-- Usage that cannot be stored does not keep the answer from being stored.
select results_eq(
  $$ select * from pgthreads.complete_turn('alice', 'k', 't1', 'completed',
    test.message('a1', 'answer', 'assistant'), jsonb_build_object('x', repeat('x', 300000))) $$,
  $$ values ('t1', 'completed', 'a1', 2, 1, 'THMAX') $$,
  'too much usage is left out, and that is told'
);
select pgthreads.begin_turn('alice', 'k', test.message('u2'), 't2') \g /dev/null
select results_eq(
  $$ select * from pgthreads.complete_turn('alice', 'k', 't2', 'completed',
    test.message('a2', 'answer', 'assistant'), '{"x": 1e400}') $$,
  $$ values ('t2', 'completed', 'a2', 4, 1, 'THMSG') $$, 'so is a number that no double holds'
);
select pgthreads.begin_turn('alice', 'k', test.message('u3'), 't3') \g /dev/null
select results_eq(
  $$ select * from pgthreads.complete_turn('alice', 'k', 't3', 'failed',
    p_usage => (repeat('[', 61) || repeat(']', 61))::jsonb) $$,
  $$ values ('t3', 'failed', null::text, 5, 0, 'THMAX') $$, 'and usage that is nested too deep'
);
reset role;
select is_empty(
  $$ select turn_id, usage from pgthreads.turn where usage is not null $$, 'none of it is stored'
);
set local role tap_server;

-- Another tenant, and a deleted thread.
select pgthreads.begin_turn('alice', 'k', test.message('u4'), 't4') \g /dev/null
select pgthreads.set_tenant('bob') \gset
select test.refuses(
  $$ select pgthreads.complete_turn('bob', 'k', 't4', 'completed',
    test.message('a4', 'answer', 'assistant')) $$,
  'THLST', 'Turn t4 of thread k does not run.', null, 'another tenant''s turn'
);
select pgthreads.set_tenant('alice') \gset
select pgthreads.soft_delete_thread('alice', 'k') \g /dev/null
select test.refuses(
  $$ select pgthreads.complete_turn('alice', 'k', 't4', 'completed',
    test.message('a4', 'answer', 'assistant')) $$,
  'THDEL', 'Thread k was deleted at %', null, 'a deleted thread takes no answer'
);
select test.refuses(
  $$ select pgthreads.complete_turn('alice', 'k', 't4', 'completed') $$,
  'THLST', 'Turn t4 of thread k is stopped.', null, 'its turn was stopped'
);

select * from finish();
rollback;
