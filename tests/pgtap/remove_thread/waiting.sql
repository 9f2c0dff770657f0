-- Purges and erasures leave nothing of an answer that waited; a purge of turns leaves what waits.
begin;
select plan(9);
\ir ../waiting.psql

select test.waits(owner, key)
from (values ('alice', 'k'), ('alice', 'gone'), ('bob', 'k')) as v (owner, key) \g /dev/null
select pgthreads.respond_turn(pgthreads.set_tenant(owner), key, 'a1',
  '[{"toolCallId": "c2", "output": 1}]')
from (values ('alice', 'k'), ('alice', 'gone'), ('bob', 'k')) as v (owner, key) \g /dev/null
select is(cardinality(test.responses()), 3, 'there are responses');

update pgthreads.turn set finished_at = now() - interval '100 days';
set local role tap_operator;
select results_eq($$ select turns from pgthreads.purge_turns() $$, array[3], 'old turns go');
reset role;
select is(cardinality(test.open_answers()), 3, 'what waits does not need them');
select pgthreads.set_tenant('alice') \gset
select is(
  (select r.outcome from pgthreads.respond_turn('alice', 'k', 'a1',
    '[{"toolCallId": "c1", "approved": true}]', 't2') as r), 'started', 'and goes on without'
);
select pgthreads.soft_delete_thread('alice', 'gone') \g /dev/null
update pgthreads.thread set deleted_at = now() - interval '100 days' where state_key = 'gone';
set local role tap_operator;
select results_eq($$ select threads, messages from pgthreads.purge_threads() $$,
  $$ values (1, 2) $$, 'a purge');
reset role;
select is(cardinality(test.responses()), 3,
  'takes the responses with it: of others there are three');
set local role tap_operator;
select is(pgthreads.erase_owner('alice') ->> 'threads', '1', 'an erasure');
reset role;
select is(cardinality(test.responses()), 1, 'takes them as well');
select is(test.open_answers(), array['k a1 t1'], 'and what is open');

select * from finish();
rollback;
