-- An answer that waits is the last message of an array that is saved.
begin;
select plan(8);
\ir ../waiting.psql

select test.waits() \g /dev/null
set local role tap_server;
select pgthreads.load_thread('alice', 'k')::jsonb as loaded \gset
select test.everything() as everything \gset
select results_eq(
  format($$ select message_count, appended from pgthreads.save_thread('alice', 'k', %L) $$,
    :'loaded'),
  $$ values (1, 0) $$, 'what was loaded, saved as it is'
);
select ok(test.everything() = :'everything', 'changes nothing');
select test.refuses(
  $$ select pgthreads.save_thread('alice', 'k', jsonb_build_array(test.message('u1'))) $$,
  'THSHR', 'Thread k has 2 messages, the array has 1.', null, 'an array without it'
);
select test.refuses(
  $$ select pgthreads.save_thread('alice', 'k', jsonb_build_array(test.message('u1'),
    test.message('u2'))) $$,
  'THSHR', 'Message 2 of thread k differs.', null, 'an array with something else in its place'
);
select test.refuses(
  $$ select pgthreads.save_thread('alice', 'k', jsonb_build_array(test.message('u1'),
    test.answer('a1', test.call('c1', 'approval-responded', 'send_mail',
      '{"approval": {"id": "ap-c1", "approved": true}}'), test.call('c2', 'input-available',
      'locate')))) $$,
  'THSHR', 'Message 2 of thread k differs.', null, 'an array cannot approve'
);
select results_eq(
  format($$ select message_count, appended from pgthreads.save_thread('alice', 'k',
    %L || jsonb_build_array(test.message('u2')), 1) $$, :'loaded'),
  $$ values (3, 1) $$, 'an array that goes on behind it'
);
select is(test.shown('alice', 'k'),
  array['1: u1', '2: a1 stopped c1 output-denied not answered, c2 output-error not answered',
    '3: u2'],
  'closes it');

-- While a turn continues it.
select test.waits('alice', 'run') \g /dev/null
select pgthreads.respond_turn('alice', 'run', 'a1', test.both_responses(), 't2') \g /dev/null
select test.refuses(
  $$ select pgthreads.save_thread('alice', 'run', jsonb_build_array(test.message('u1'),
    test.message('u2'))) $$,
  'THTRN', null, null, 'while a turn continues it nothing is saved'
);

select * from finish();
rollback;
