-- It returns what a turn has sent, to its end, and then the stored answer.
begin;
select plan(22);
\ir ../helpers.psql

set local role tap_server;
select test.refuses(
  $$ select pgthreads.read_journal('alice', 'k') $$, 'THTEN', null, null, 'no tenant'
);
select pgthreads.set_tenant('alice') \gset
select test.refuses(
  $$ select pgthreads.read_journal('alice', 'a b') $$, 'THKEY', null, null, 'a bad key'
);
select is_empty($$ select * from pgthreads.read_journal('alice', 'k') $$, 'nothing runs');
select is_empty($$ select * from pgthreads.read_journal('alice', 'k', 't') $$, 'no such turn');
select pgthreads.begin_turn('alice', 'k', test.message('u'), 't') \g /dev/null
select results_eq(
  $$ select turn_id, status, error_code, end_offset, frames, answer::text
    from pgthreads.read_journal('alice', 'k') $$,
  $$ values ('t', 'running', null, 0, null, null) $$, 'a turn that has sent nothing'
);
select pgthreads.write_journal('alice', 'k', 't', 0, 'abc') \g /dev/null
select pgthreads.write_journal('alice', 'k', 't', 3, 'déf') \g /dev/null
select results_eq(
  $$ select turn_id, end_offset, frames from pgthreads.read_journal('alice', 'k') $$,
  $$ values ('t', 7, 'abcdéf') $$, 'all of it'
);
select results_eq(
  $$ select end_offset, frames from pgthreads.read_journal('alice', 'k', 't', 3) $$,
  $$ values (7, 'déf') $$, 'the rest of it'
);
select results_eq(
  $$ select status, end_offset, frames from pgthreads.read_journal('alice', 'k', 't', 7) $$,
  $$ values ('running', 7, null) $$, 'nothing new'
);
select results_eq(
  $$ select end_offset, frames from pgthreads.read_journal('alice', 'k', 't', 4) $$,
  $$ values (7, 'éf') $$, 'also from the middle of a row'
);
select results_eq(
  $$ select end_offset, frames from pgthreads.read_journal('alice', 'k', 't', 99) $$,
  $$ values (99, null) $$, 'nothing for a reader who is ahead of a writer that began again'
);
select pgthreads.write_journal('alice', 'k', 't', 7, repeat('x', 1100000)) \g /dev/null
select pgthreads.write_journal('alice', 'k', 't', 1100007, 'yz') \g /dev/null
select results_eq(
  $$ select end_offset, octet_length(frames) from pgthreads.read_journal('alice', 'k', 't') $$,
  $$ values (1100007, 1100007) $$, 'not more than about 1 MiB a call'
);
select results_eq(
  $$ select end_offset, frames from pgthreads.read_journal('alice', 'k', 't', 1100007) $$,
  $$ values (1100009, 'yz') $$, 'the next call has the rest'
);

select pgthreads.set_tenant('bob') \gset
select is_empty($$ select * from pgthreads.read_journal('bob', 'k', 't') $$, 'another tenant');
select test.refuses(
  $$ select pgthreads.read_journal('alice', 'k', 't') $$, 'THTEN', null, null,
    'who is not its owner'
);
select pgthreads.set_tenant('alice') \gset

reset role;
update pgthreads.turn set lease_until = clock_timestamp() - interval '1 second';
set local role tap_server;
select results_eq(
  $$ select status, frames from pgthreads.read_journal('alice', 'k', 't', 1100007) $$,
  $$ values ('abandoned', 'yz') $$, 'a turn without its lease counts as abandoned'
);
select is_empty($$ select * from pgthreads.read_journal('alice', 'k') $$, 'and does not run');
select pgthreads.extend_turn('alice', 'k', 't') \g /dev/null
select results_eq(
  $$ select status from pgthreads.read_journal('alice', 'k') $$, array['running'],
  'until it takes it back'
);

select pgthreads.append_thread('alice', 'k',
  jsonb_build_array(test.message('a', 'answer', 'assistant')), null, 't') \g /dev/null
select pgthreads.finish_turn('alice', 'k', 't', 'failed', null, 'broken') \g /dev/null
select results_eq(
  $$ select status, error_code, end_offset, frames, answer ->> 'id'
    from pgthreads.read_journal('alice', 'k', 't', 1100007) $$,
  $$ values ('failed', 'broken', 1100009, 'yz', 'a') $$, 'how it ended, and its answer'
);
select is_empty($$ select * from pgthreads.read_journal('alice', 'k') $$, 'nothing runs any more');
select is(pgthreads.forget_journal('alice', 'k', 't'), 4, 'what it had sent is deleted');
select results_eq(
  $$ select status, end_offset, frames, answer ->> 'id'
    from pgthreads.read_journal('alice', 'k', 't') $$,
  $$ values ('failed', 0, null, 'a') $$, 'its answer is left'
);
select pgthreads.soft_delete_thread('alice', 'k') \g /dev/null
select results_eq(
  $$ select status, answer::text from pgthreads.read_journal('alice', 'k', 't') $$,
  $$ values ('failed', null) $$, 'until its thread is deleted'
);

select * from finish();
rollback;
