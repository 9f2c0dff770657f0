begin;
select plan(19);
\ir ../operators.psql

create function test.kept()
returns table (state_key text, turn_id text, message text, bytes int, reason text, sqlstate text)
language sql
security definer
set search_path = pg_catalog
as $$
  select l.state_key, l.turn_id, l.message, l.bytes, l.reason, l.sqlstate
  from pgthreads.late_answer as l
  order by l.turn_id
$$;

set local role tap_server;
select test.refuses(
  $$ select pgthreads.keep_answer('alice', 'k', 't', test.message('a'), 'turn_lost') $$,
  'THTEN', null, null, 'no tenant'
);
select pgthreads.set_tenant('alice') \gset
select is(
  pgthreads.keep_answer('alice', 'k', 't', test.message('a'), 'turn_lost'), false,
  'a thread that is gone keeps nothing'
);
select pgthreads.begin_turn('alice', 'k', test.message('u'), 't') \g /dev/null
select is(
  pgthreads.keep_answer('alice', 'k', 'other', test.message('a'), 'turn_lost'), false,
  'nor does a turn that never was'
);
select is(
  pgthreads.keep_answer('alice', 'k', null, test.message('a'), 'turn_lost'), false, 'nor a null one'
);
select test.refuses(
  $$ select pgthreads.keep_answer('alice', 'k', 't', null, 'turn_lost') $$,
  '22023', '%missing%', null, 'no message'
);
select test.refuses(
  $$ select pgthreads.keep_answer('alice', 'k', 't', test.message('a'), '') $$,
  '22023', '%missing%', null, 'no reason'
);
select test.refuses(
  $$ select pgthreads.keep_answer('alice', 'k k', 't', test.message('a'), 'turn_lost') $$,
  'THKEY', null, null, 'no state key'
);

select is(
  pgthreads.keep_answer('alice', 'k', 't',
    test.message('a', 'with sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD in it', 'assistant'),
    'turn_lost', 'THLST'),
  true, 'an answer is kept'
);
select is(
  pgthreads.keep_answer('alice', 'k', 't', test.message('b'), 'again'), true, 'the first one stays'
);
select results_eq(
  $$ select state_key, turn_id, message::jsonb ->> 'id', reason, sqlstate,
    bytes = octet_length(message)
    from test.kept() $$,
  $$ values ('k', 't', 'a', 'turn_lost', 'THLST', true) $$, 'with its reason'
);
select is(
  (select count(*) from test.kept() where message like '%sk-proj-abc%'), 0::bigint,
  'redacted before it is stored'
);
select is(
  (select r.message_count from pgthreads.read_thread('alice', 'k') as r), 1,
    'and it is not in the thread'
);
select throws_ok(
  'select from pgthreads.late_answer', '42501', null, 'the server''s role does not see it'
);

-- What append_thread refuses, it keeps.
reset role;
update pgthreads.config set max_message_bytes = 100;
update pgthreads.turn set status = 'completed', finished_at = clock_timestamp();
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select pgthreads.begin_turn('alice', 'k', test.message('u2', 'x'), 't2') \g /dev/null
select is(
  pgthreads.keep_answer('alice', 'k', 't2', jsonb_build_object(
    'parts', 'none', 'key', 'sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD',
    'text', repeat('ä', 500)), 'bad_message', 'THMSG'),
  true, 'what is no UIMessage, and too large'
);
select results_eq(
  $$ select char_length(message), bytes > 1000, message not like '%sk-proj-abc%'
    from test.kept() where turn_id = 't2' $$,
  $$ values (200, true, true) $$, 'cut off and redacted'
);
select pgthreads.soft_delete_thread('alice', 'k') \g /dev/null
select pgthreads.set_tenant('bob') \gset
select test.refuses(
  $$ select pgthreads.keep_answer('alice', 'k', 't', test.message('a'), 'turn_lost') $$,
  'THTEN', null, null, 'another tenant''s'
);

set local role tap_operator;
select is(
  (select string_agg(l.owner_user_id || '/' || l.turn_id, ' ' order by l.turn_id)
    from pgthreads.late_answer as l),
  'alice/t alice/t2', 'operators see them'
);
select is((pgthreads.erase_owner('alice') ->> 'complete')::boolean, true, 'erased with its owner');
select is_empty('select from pgthreads.late_answer', 'and nothing of it is left');

select * from finish();
rollback;
