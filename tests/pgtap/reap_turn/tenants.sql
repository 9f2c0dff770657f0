-- reap_turns gives up turns of all tenants and stores their partial answers, with verified tenancy
-- and without.
begin;
select plan(16);
\ir ../operators.psql

insert into pgthreads.tenant_key (id) values ('first');
select test.journaled(o, 'k', 't-' || o, 'half of ' || o)
from unnest(array['alice', 'bob', 'carol']) as o \g /dev/null
select test.journaled('alice', 'alive', 't', 'x', false) \g /dev/null
update pgthreads.turn set lease_until = now() - interval '1 hour' where owner_user_id = 'alice'
  and turn_id <> 't';
select set_config('app.current_user_id', 'dave', true),
  set_config('app.tenant_proof', 'p', true) \g /dev/null

set local role tap_operator;
select results_eq(
  $$ select owner_user_id from pgthreads.reap_turns(1) $$, array['alice'], 'the longest dead'
);
select is(current_setting('app.current_user_id'), 'dave', 'the tenant is what it was');
select is(current_setting('app.tenant_proof'), 'p', 'and its proof');
select is(
  test.said('alice', 'k'), array['user: hello', 'assistant: half of alice: abandoned'],
  'its answer is there'
);
select throws_ok('select frames from pgthreads.journal', '42501', null,
  'though what is in the journal is not for operators');
reset role;
update pgthreads.config set require_verified_tenant = true;
set local role tap_operator;
select results_eq(
  $$ select owner_user_id from pgthreads.reap_turns() order by 1 $$, array['bob', 'carol'],
  'with verified tenancy, too'
);
select is(test.said(o, 'k'), array['user: hello', format('assistant: half of %s: abandoned', o)], o)
from unnest(array['bob', 'carol']) as o;
select is((select bool_and(v.ok) from pgthreads.verify_threads() as v), true, 'all chains fit');
reset role;
update pgthreads.config set require_verified_tenant = false;
select is(array_to_string(test.journal(), ','), format('t 0-%s %1$s',
  octet_length(test.frames('a-t', 'x'))),
  'the journal of the turn that runs is left');

-- What dead workers have left behind.
select pgthreads.finish_turn(t.owner, 'alive', 't', 'completed')
from pgthreads.set_tenant('alice') as t (owner) \g /dev/null
set local role tap_operator;
select pgthreads.reap_turns() \g /dev/null
select is(cardinality(test.journal()), 1, 'a journal of a turn that has just ended is left');
reset role;
update pgthreads.journal set created_at = created_at - interval '2 minutes';
set local role tap_operator;
select pgthreads.reap_turns() \g /dev/null
select is(cardinality(test.journal()), 0, 'an old one is deleted');

-- If closing a turn fails for a reason that will pass, it is left for later; other turns are
-- closed.
reset role;
select test.journaled(o, 'late', 't-' || o, 'late')
  from unnest(array['alice', 'bob']) as o \g /dev/null
update pgthreads.turn set lease_until = now() - interval '1 hour'
where owner_user_id = 'alice' and state_key = 'late';
create function test.fail() returns trigger language plpgsql as $$
begin
  raise exception 'not now' using errcode = 'lock_not_available';
end;
$$;
create trigger fails before insert on pgthreads.message
for each row when (new.message_id = 'a-t-alice') execute function test.fail();
set local client_min_messages = error;
set local role tap_operator;
select results_eq(
  $$ select owner_user_id from pgthreads.reap_turns() $$, array['bob'],
    'one fails, the other is closed'
);
reset role;
drop trigger fails on pgthreads.message;
set local role tap_operator;
select results_eq(
  $$ select owner_user_id from pgthreads.reap_turns() $$, array['alice'],
    'and then the one that failed'
);
select is((test.said('alice', 'late'))[2], 'assistant: late: abandoned', 'with its answer');
select is(
  has_function_privilege('tap_server', 'pgthreads.reap_turn(text, text, text)', 'execute'), false,
  'no server may be another tenant by it'
);

select * from finish();
rollback;
