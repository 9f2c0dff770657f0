-- An archived thread is out of the list until it is taken back, or until somebody writes to it.
begin;
select plan(20);
\ir ../helpers.psql

create function test.listed() returns text[] language sql stable
as $$ select array(select state_key from pgthreads.list_threads('alice') order by state_key) $$;

set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select test.refuses(
  $$ select pgthreads.update_thread('alice', 'k', p_archived => true) $$, 'THNON', null, null,
  'no such thread'
);
select pgthreads.append_thread('alice', 'k', test.messages(1, 2)) \g /dev/null
select isnt(
  (select archived_at from pgthreads.update_thread('alice', 'k', p_archived => true)), null,
  'it is archived'
);
select is(test.listed(), '{}', 'and out of the list');
select archived_at as since, updated_at as before from pgthreads.read_header('alice', 'k') \gset
select is(
  (select archived_at from pgthreads.update_thread('alice', 'k', p_archived => true)), :'since',
  'a second time changes nothing'
);
select results_eq(
  $$ select title, archived_at is not null from pgthreads.update_thread('alice', 'k', 'New') $$,
  $$ values ('New', true) $$, 'a new name does not take it back'
);
select is(
  (select updated_at from pgthreads.read_header('alice', 'k')), :'before',
  'none of this counts as activity'
);
select is(
  jsonb_array_length(pgthreads.load_thread('alice', 'k')::jsonb), 2, 'its messages are read'
);
select is(
  (select archived_at from pgthreads.update_thread('alice', 'k', p_archived => false)), null,
  'it is taken back'
);
select is(test.listed(), '{k}', 'into the list');

-- What an append does.
select pgthreads.update_thread('alice', 'k', p_archived => true) \g /dev/null
select is(
  (select appended from pgthreads.append_thread('alice', 'k', test.messages(1, 2))), 0,
  'a repeated append'
);
select is(test.listed(), '{}', 'leaves it archived');
select pgthreads.append_thread('alice', 'k', '[]', p_metadata => '{"a": 1}') \g /dev/null
select is(test.listed(), '{}', 'so does one without messages');
select pgthreads.append_thread('alice', 'k', test.messages(3, 3)) \g /dev/null
select is(test.listed(), '{k}', 'a new message takes it back');
select pgthreads.update_thread('alice', 'k', p_archived => true) \g /dev/null
select pgthreads.begin_turn('alice', 'k', test.message('u'), 't') \g /dev/null
select is(test.listed(), '{k}', 'so does a question');
select pgthreads.update_thread('alice', 'k', p_archived => true) \g /dev/null
select pgthreads.complete_turn('alice', 'k', 't', 'completed',
    test.message('a', 'yes', 'assistant'))
  \g /dev/null
select is(test.listed(), '{}', 'but not the answer to an earlier one');
select is(
  (select message_count from pgthreads.read_header('alice', 'k')), 5, 'which is stored all the same'
);
select pgthreads.save_thread('alice', 'k',
  pgthreads.load_thread('alice', 'k')::jsonb || test.messages(6, 6)) \g /dev/null
select is(test.listed(), '{k}', 'a save takes it back');
select pgthreads.update_thread('alice', 'k', p_archived => true) \g /dev/null
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', test.messages(7, 7), 2) $$, 'THCNT', null, null,
  'a refused append'
);
select is(test.listed(), '{}', 'leaves it archived');

-- A dead worker's answer.
reset role;
select test.journaled('alice', 'k', 't2', 'half');
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select pgthreads.update_thread('alice', 'k', p_archived => true) \g /dev/null
reset role;
select pgthreads.reap_turns(10) \g /dev/null
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select is(test.listed(), '{}', 'nor does what a dead worker left');

select * from finish();
rollback;
