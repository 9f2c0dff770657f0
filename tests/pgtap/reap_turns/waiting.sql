-- Answers that nobody has responded to are closed when they have waited long enough.
begin;
select plan(15);
\ir ../waiting.psql

insert into pgthreads.tenant_key (id) values ('first');
select test.waits(owner, key)
from (values ('alice', 'old'), ('alice', 'new'), ('bob', 'old'), ('bob', 'run'), ('bob', 'dead'))
  as v (owner, key) \g /dev/null
select pgthreads.respond_turn(pgthreads.set_tenant('bob'), key, 'a1', test.both_responses(), 't2')
from unnest(array['run', 'dead']) as key \g /dev/null
update pgthreads.open_answer set open_since = now() - interval '8 days' where state_key <> 'new';
update pgthreads.turn set lease_until = now() - interval '1 minute' where state_key = 'dead'
  and status = 'running';
select set_config('app.current_user_id', 'dave', true),
  set_config('app.tenant_proof', 'p', true) \g /dev/null

set local role tap_operator;
select throws_ok(
  $$ insert into pgthreads.open_answer default values $$, '42501', null, 'operators write none'
);
select is(pgthreads.reap_answer('alice', 'new'), 0, 'what is young waits on');
select is(pgthreads.reap_answer('bob', 'run'), 0, 'so does what a turn continues');
select results_eq(
  $$ select owner_user_id || '/' || state_key, turn_id::text,
    lease_until < now() - interval '20 hours'
    from pgthreads.reap_turns(1) $$,
  $$ values ('bob/dead', 't2', false) $$, 'dead turns come first'
);
reset role;
update pgthreads.config set require_verified_tenant = true;
set local role tap_operator;
select results_eq(
  $$ select owner_user_id || '/' || state_key, turn_id::text,
    lease_until < now() - interval '20 hours'
    from pgthreads.reap_turns(1) $$,
  $$ values ('alice/old', 't1', true) $$, 'then answers, as many as the batch has'
);
select results_eq(
  $$ select owner_user_id || '/' || state_key from pgthreads.reap_turns() $$, array['bob/old'],
  'then the others'
);
select is((select count(*) from pgthreads.reap_turns()), 0::bigint, 'until nothing is left');
reset role;
update pgthreads.config set require_verified_tenant = false;
select is(current_setting('app.current_user_id'), 'dave', 'the tenant is what it was');
select is(current_setting('app.tenant_proof'), 'p', 'and its proof');
select is(test.open_answers(), array['new a1 t1', 'run a1 t1 t2'], 'the others are open');
select pgthreads.set_tenant('alice') \gset
select is(test.shown('alice', 'old'),
  array['1: u1', '2: a1 abandoned c1 output-denied not answered, c2 output-error not answered'],
  'its answer is closed as abandoned');
select is((select bool_and(v.ok) from pgthreads.verify_threads() as v), true, 'the chains hold');

-- For ever.
update pgthreads.config set max_wait = null;
update pgthreads.open_answer set open_since = now() - interval '80 years';
select is((select count(*) from pgthreads.reap_turns()), 0::bigint, 'without a limit they wait');

-- One that fails is left for later.
update pgthreads.config set max_wait = '1 hour';
create function test.fail() returns trigger language plpgsql as $$
begin
  raise exception 'not now' using errcode = 'lock_not_available';
end;
$$;
create trigger fails before insert on pgthreads.message
for each row when (new.message_id = 'a1') execute function test.fail();
set local client_min_messages = error;
select is((select count(*) from pgthreads.reap_turns()), 0::bigint, 'one that fails');
drop trigger fails on pgthreads.message;
select is(array(select state_key::text from pgthreads.reap_turns()), array['new'],
  'is closed later');

select * from finish();
rollback;
