-- How many turns of one owner may run at once.
begin;
select plan(9);
\ir ../helpers.psql

create function test.ask(p_owner text, p_key text, p_turn text default 't')
returns text
language sql
as $$
  select b.outcome
  from pgthreads.set_tenant(p_owner) as t (owner),
    lateral pgthreads.begin_turn(t.owner, p_key, test.message('u1'), p_turn) as b;
$$;
grant execute on all functions in schema test to public;
update pgthreads.config set max_turns_per_owner = 2;

set local role tap_server;
select is(test.ask('alice', 'one'), 'started', 'the first turn');
select is(test.ask('alice', 'two'), 'started', 'the second turn');
select test.refuses(
  $$ select test.ask('alice', 'three') $$, 'THBSY', '%2 running turns; the limit is 2.',
  '%max_turns_per_owner%', 'the third turn is refused, and its message is not stored'
);
select is(test.ask('alice', 'one', 'again'), 'running',
  'a message that is sent again finds its turn');
select is(test.ask('bob', 'one'), 'started', 'another owner has turns of his own');

select pgthreads.set_tenant('alice') \gset
select status from pgthreads.finish_turn('alice', 'two', 't', 'failed') \gset
select is(test.ask('alice', 'three'), 'started', 'a turn that ended makes room');
reset role;

update pgthreads.turn set lease_until = now() - interval '1 second' where state_key = 'one';
set local role tap_server;
select is(test.ask('alice', 'four'), 'started', 'a turn whose lease has ended does not count');
reset role;

update pgthreads.config set max_turns_per_owner = 0;
set local role tap_server;
select test.refuses(
  $$ select test.ask('carol', 'one') $$, 'THBSY', null, null, 'none may be allowed'
);
reset role;
update pgthreads.config set max_turns_per_owner = null;
set local role tap_server;
select is(
  (select count(*) from generate_series(1, 5) as i where test.ask('bob', 'n' || i) = 'started'),
  5::bigint, 'null is no limit'
);

select * from finish();
rollback;
