begin;
select plan(12);
\ir ../helpers.psql

select test.journaled('alice', 'k', 't1', 'half an') \g /dev/null
select test.journaled('alice', 'alive', 't2', 'half an', false) \g /dev/null
select test.journaled('bob', 'k', 't3', 'half an') \g /dev/null
select set_config('app.current_user_id', '', true) \g /dev/null
set local role tap_server;
select test.refuses(
  $$ select pgthreads.end_lost_turns('alice') $$, 'THTEN', null, null, 'no tenant'
);
select pgthreads.set_tenant('alice') \gset
select test.refuses(
  format('select pgthreads.end_lost_turns(%L, %L)', 'alice', v.grace), '22023', null, '%lease%',
  'a grace that is none'
)
from (values ('-1 second'), (null)) as v (grace);
select is(pgthreads.end_lost_turns('alice', '1 minute'), 0, 'a lease that ended within the grace');
select is(pgthreads.end_lost_turns('alice'), 1, 'one that has ended');
select is(pgthreads.end_lost_turns('alice'), 0, 'it ends once');
select is(
  (select string_agg(m.message #>> '{parts,1,text}', '' order by m.seq)
    from pgthreads.read_messages('alice', 'k') as m), 'half an', 'its answer is in the thread'
);
select is(
  (select m.message #>> '{metadata,status}' from pgthreads.read_messages('alice', 'k') as m
    order by m.seq desc limit 1), 'abandoned', 'and says why it is short'
);
select is(
  (select e.alive from pgthreads.extend_turn('alice', 'alive', 't2') as e), true,
  'a turn with a lease runs on'
);
select is(
  (select e.alive from pgthreads.extend_turn('alice', 'k', 't1') as e), false, 'the other is lost'
);
reset role;
select is((select status from pgthreads.turn where turn_id = 't3'), 'running',
  'and so does what is another tenant''s');
update pgthreads.thread set deleted_at = clock_timestamp() where owner_user_id = 'bob';
set local role tap_server;
select pgthreads.set_tenant('bob') \gset
select is(pgthreads.end_lost_turns('bob'), 1, 'that of a deleted thread ends, too');

select * from finish();
rollback;
