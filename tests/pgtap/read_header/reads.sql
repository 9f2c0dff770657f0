-- A thread as the list shows it, without its messages.
begin;
select plan(13);
\ir ../helpers.psql

set local role tap_server;
select test.refuses(
  $$ select pgthreads.read_header('alice', 'k') $$, 'THTEN', null, null, 'no tenant'
);
select pgthreads.set_tenant('alice') \gset
select is_empty($$ select pgthreads.read_header('alice', 'k') $$, 'no such thread');
select test.refuses(
  $$ select pgthreads.read_header('alice', '') $$, 'THKEY', null, null, 'a bad key'
);
select pgthreads.append_thread('alice', 'k', test.messages(1, 3), p_metadata => '{"a": 1}')
  \g /dev/null
select results_eq(
  $$ select state_key, title, message_count, metadata, running, waiting, archived_at
    from pgthreads.read_header('alice', 'k') $$,
  $$ values ('k', 'text 1', 3, jsonb '{"a": 1}', false, false, null::timestamptz) $$,
  'a thread at rest'
);
select results_eq(
  $$ select state_key, title, message_count, metadata, created_at, updated_at, running, waiting,
    archived_at from pgthreads.read_header('alice', 'k') $$,
  $$ select state_key, title, message_count, metadata, created_at, updated_at, running, waiting,
    archived_at from pgthreads.list_threads('alice') $$,
  'it says what the list says'
);
select pgthreads.begin_turn('alice', 'k', test.message('u'), 't') \g /dev/null
select results_eq(
  $$ select message_count, running, waiting from pgthreads.read_header('alice', 'k') $$,
  $$ values (4, true, false) $$, 'while a turn runs'
);
select pgthreads.pause_turn('alice', 'k', 't', '{"id": "a1", "role": "assistant", "parts": [
  {"type": "tool-x", "toolCallId": "c1", "state": "input-available", "input": {}}]}') \g /dev/null
select results_eq(
  $$ select message_count, running, waiting from pgthreads.read_header('alice', 'k') $$,
  $$ values (4, false, true) $$, 'while an answer waits'
);
select pgthreads.begin_turn('alice', 'k', test.message('v'), 't2') \g /dev/null
reset role;
update pgthreads.turn set lease_until = clock_timestamp() - interval '1 second'
where turn_id = 't2';
set local role tap_server;
select is(
  (select running from pgthreads.read_header('alice', 'k')), false, 'a turn without a lease'
);
select pgthreads.update_thread('alice', 'k', p_archived => true) \g /dev/null
select isnt(
  (select archived_at from pgthreads.read_header('alice', 'k')), null, 'an archived thread is read'
);
select pgthreads.set_tenant('bob') \gset
select is_empty(
  $$ select pgthreads.read_header('bob', 'k') $$, 'a foreign thread is not there'
);
select test.refuses(
  $$ select pgthreads.read_header('alice', 'k') $$, 'THTEN', null, null, 'who is not the tenant'
);
select pgthreads.set_tenant('alice') \gset
select pgthreads.soft_delete_thread('alice', 'k') \g /dev/null
select is_empty($$ select pgthreads.read_header('alice', 'k') $$, 'nor is a deleted one');
select pgthreads.append_thread('alice', 'empty', '[]') \g /dev/null
select results_eq(
  $$ select title, message_count from pgthreads.read_header('alice', 'empty') $$,
  $$ values (null::text, 0) $$, 'a thread without messages'
);

select * from finish();
rollback;
