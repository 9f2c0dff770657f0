-- It adds to the end of a running turn's journal, once, and returns what a heartbeat returns.
begin;
select plan(20);
\ir ../helpers.psql

set local role tap_server;
select test.refuses(
  $$ select pgthreads.write_journal('alice', 'k', 't', 0, 'abc') $$, 'THTEN', null, null,
    'no tenant'
);
select pgthreads.set_tenant('alice') \gset
select results_eq(
  $$ select * from pgthreads.write_journal('alice', 'k', 't', 0, 'abc') $$,
  $$ values ('t', false, false, 0) $$, 'no such turn'
);
select pgthreads.begin_turn('alice', 'k', test.message('u'), 't') \g /dev/null
select results_eq(
  $$ select * from pgthreads.write_journal('alice', 'k', 't', 0, 'abc') $$,
  $$ values ('t', true, false, 3) $$, 'the beginning'
);
select results_eq(
  $$ select end_offset from pgthreads.write_journal('alice', 'k', 't', 0, 'abc') $$, array[3],
  'the same again'
);
select results_eq(
  $$ select end_offset from pgthreads.write_journal('alice', 'k', 't', 3, 'dé') $$, array[6],
  'more, counted in bytes'
);
select is(test.journal(), array['t 0-3 3', 't 3-6 3'], 'a row for each');
select results_eq(
  $$ select end_offset from pgthreads.write_journal('alice', 'k', 't', 3, 'défg') $$, array[8],
  'what is known already'
);
select is(test.journal(), array['t 0-3 3', 't 3-6 3', 't 6-8 2'], 'is left out');
select results_eq(
  $$ select end_offset from pgthreads.write_journal('alice', 'k', 't', 0, 'ab') $$, array[8],
  'an older part changes nothing'
);
select results_eq(
  $$ select end_offset from pgthreads.write_journal('alice', 'k', 't', 9, 'x') $$, array[8],
  'nor does one behind a gap'
);
select results_eq(
  $$
    select w.end_offset
    from (values (8, null), (8, ''), (null, 'x'), (-1, '123456789x')) as v (place, frames),
      lateral pgthreads.write_journal('alice', 'k', 't', v.place, v.frames) as w
  $$,
  array[8, 8, 8, 8], 'nor do nothing, or no place'
);
select is(test.journal(), array['t 0-3 3', 't 3-6 3', 't 6-8 2'], 'as it was');

-- After a crash of the database the journal is empty.
reset role;
delete from pgthreads.journal;
set local role tap_server;
select results_eq(
  $$ select alive, end_offset from pgthreads.write_journal('alice', 'k', 't', 8, 'h') $$,
  $$ values (true, 0) $$, 'the writer is told to begin again'
);
select results_eq(
  $$ select end_offset from pgthreads.write_journal('alice', 'k', 't', 0, 'abcdéfgh') $$, array[9],
  'and does'
);

select pgthreads.set_tenant('bob') \gset
select results_eq(
  $$ select alive from pgthreads.write_journal('bob', 'k', 't', 9, 'x') $$, array[false],
  'another tenant has no such turn'
);
select test.refuses(
  $$ select pgthreads.write_journal('alice', 'k', 't', 9, 'x') $$, 'THTEN', null, null,
  'and is not its owner'
);
select pgthreads.set_tenant('alice') \gset
select is(pgthreads.request_stop('alice', 'k'), 't', 'a stop');
select results_eq(
  $$ select * from pgthreads.write_journal('alice', 'k', 't', 9, 'x') $$,
  $$ values ('t', true, true, 10) $$, 'is told, and what comes until then is kept'
);
select pgthreads.finish_turn('alice', 'k', 't', 'stopped') \g /dev/null
select results_eq(
  $$ select * from pgthreads.write_journal('alice', 'k', 't', 10, 'y') $$,
  $$ values ('t', false, false, 0) $$, 'a turn that ended writes nothing'
);
select is(test.journal(), array['t 0-9 9', 't 9-10 1'], 'as it was at its end');

select * from finish();
rollback;
