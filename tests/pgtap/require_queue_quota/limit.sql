-- How many messages of one owner may wait in all threads together.
begin;
select plan(8);
\ir ../helpers.psql

create function test.ask(p_owner text, p_key text, p_id text)
returns text
language sql
as $$
  select b.outcome
  from pgthreads.set_tenant(p_owner) as t (owner),
    lateral pgthreads.begin_turn(
      t.owner, p_key, test.message(p_id), p_id, p_busy => 'enqueue') as b;
$$;
grant execute on all functions in schema test to public;
update pgthreads.config set max_queued_per_owner = 2;

set local role tap_server;
select test.ask('alice', 'k' || i, 'u1'), test.ask('bob', 'k' || i, 'u1')
from generate_series(1, 3) as i \g /dev/null
select is(test.ask('alice', 'k1', 'u2'), 'waiting', 'the first one waits');
select is(test.ask('alice', 'k2', 'u2'), 'waiting', 'the second one waits in another thread');
select test.refuses(
  $$ select test.ask('alice', 'k3', 'u2') $$, 'THBSY', '2 messages of this owner%the limit is 2.',
  '%max_queued_per_owner%', 'the third one is refused, and takes no place'
);
select is(test.ask('alice', 'k2', 'u2'), 'waiting', 'one that asks again keeps its place');
select is(test.ask('bob', 'k3', 'u2'), 'waiting', 'another owner''s messages wait');
reset role;

update pgthreads.queued_turn set expires_at = now() - interval '2 minutes'
where owner_user_id = 'alice' and state_key = 'k1';
set local role tap_server;
select is(test.ask('alice', 'k3', 'u2'), 'waiting',
  'one that nobody asks for any more does not count');
reset role;
select results_eq(
  $$ select q.state_key from pgthreads.queued_turn as q where q.owner_user_id = 'alice'
    order by 1 $$,
  $$ values ('k2'::text collate "C"), ('k3') $$, 'and is removed'
);
update pgthreads.config set max_queued_per_owner = null;
set local role tap_server;
select is(test.ask('alice', 'k1', 'u3'), 'waiting', 'null is no limit');

select * from finish();
rollback;
