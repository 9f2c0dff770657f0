-- approval_policy: calls of some tools are approved by logins of another role alone, so that
-- neither the owner's browser, which has the server's login, nor whoever has taken over that login
-- can approve them.
begin;
select plan(29);
\ir ../waiting.psql

create role tap_approver nologin;
create role tap_auditor nologin;
create role tap_app login in role pgthreads_server;
create role tap_office login in role tap_approver;
grant usage on schema pgthreads, test to tap_approver;
grant execute on function pgthreads.set_tenant(text), pgthreads.read_open_answer(text, text),
  pgthreads.respond_turn(text, text, text, jsonb, text, int) to tap_approver;
insert into pgthreads.approval_policy (tool_name, role_name, reason)
values ('pay_*', 'tap_approver', 'four eyes');
select test.waits('alice', 'k', test.answer('a1',
  test.call('c1', 'approval-requested', 'pay_bill'), test.call('c2'))) \g /dev/null
select test.waits('alice', 'd', test.answer('a1', test.call('c1', 'approval-requested',
  'pay_bill')))
  \g /dev/null

-- The server.
set local session authorization tap_app;
select pgthreads.set_tenant('alice') \gset
select test.refuses(
  $$ select pgthreads.respond_turn('alice', 'k', 'a1',
    '[{"toolCallId": "c1", "approved": true}]') $$,
  'THAPR', 'Calls of ''pay_bill'' are approved by members of role tap_approver, and tap_app is%',
  '%approval_policy%', 'the server''s login may not approve'
);
select throws_ok('insert into pgthreads.tool_response default values', '42501', null,
  'nor write a response by itself');
select throws_ok('delete from pgthreads.approval_policy', '42501', null, 'nor remove the policy');
select throws_ok('select * from pgthreads.approval_policy', '42501', null, 'nor read it');
select throws_ok($$ update pgthreads.open_answer set calls = '[]' $$, '42501', null,
  'nor change what waits');
select throws_ok('set role tap_approver', '42501', null, 'nor become the other role');
select throws_ok('set role tap_office', '42501', null, 'or its login');
select throws_ok(
  $$ select pgthreads.require_approver('pay_bill') $$, '42501', null, 'nor call the check'
);
select results_eq(
  $$ select r.outcome, r.missing from pgthreads.respond_turn('alice', 'k', 'a1',
    '[{"toolCallId": "c2", "approved": true}]', 't2') as r $$,
  $$ values ('waiting', '["c1"]'::jsonb) $$, 'other calls it approves'
);
select is(
  (select jsonb_path_query_array(r.calls, '$[*].roles')
    from pgthreads.read_open_answer('alice', 'k') as r),
  '[["tap_approver"]]', 'and it sees who has to approve'
);
select results_eq(
  $$ select r.outcome from pgthreads.respond_turn('alice', 'd', 'a1',
    '[{"toolCallId": "c1", "approved": false}]') as r $$,
  $$ values ('ready') $$, 'anybody may deny'
);

-- The other login, which does nothing else.
set local session authorization tap_office;
select throws_ok($$ select pgthreads.load_thread('alice', 'k') $$, '42501', null,
  'the approver reads no threads');
select pgthreads.set_tenant('alice') \gset
select results_eq(
  $$ select e.call ->> 'toolCallId', e.call -> 'roles'
    from pgthreads.read_open_answer('alice', 'k') as r
    cross join jsonb_array_elements(r.calls) as e (call) $$,
  $$ values ('c1', '["tap_approver"]'::jsonb), ('c2', null) $$, 'but sees what waits'
);
select results_eq(
  $$ select r.outcome, r.turn_id from pgthreads.respond_turn('alice', 'k', 'a1',
    '[{"toolCallId": "c1", "approved": true, "reason": "checked"}]') as r $$,
  $$ values ('ready', null::text) $$, 'and approves it'
);

-- The server goes on, and what its browser says of that call is the same or refused.
set local session authorization tap_app;
select throws_ok(
  $$ select pgthreads.respond_turn('alice', 'k', 'a1',
    '[{"toolCallId": "c1", "approved": false}]', 't2') $$,
  'THRSP', null, 'what was approved is not taken back'
);
select results_eq(
  $$ select r.outcome, r.responses #>> '{0,respondedBy}', r.responses #>> '{1,respondedBy}'
    from pgthreads.respond_turn('alice', 'k', 'a1',
      '[{"toolCallId": "c1", "approved": true, "reason": "checked"}]', 't2') as r $$,
  $$ values ('started', 'tap_office', 'tap_app') $$, 'the executor learns who approved'
);
reset session authorization;
select is(
  test.responses(),
  array[
    'c1 pay_bill approval {"approved": false} tap_app',
    'c1 pay_bill approval {"reason": "checked", "approved": true} tap_office',
    'c2 send_mail approval {"approved": true} tap_app'
  ],
  'and it stays known'
);

-- Patterns, and several of them.
insert into pgthreads.approval_policy values ('pay_*_abroad', 'tap_auditor'), ('100%', 'tap_none'),
  ('now!', 'tap_none'), (E'a\\b*', 'tap_none');
select is(pgthreads.approval_roles(name), roles::name[], name)
from (values
  ('pay_bill', array['tap_approver']), ('pay_bill_abroad', array['tap_approver', 'tap_auditor']),
  ('payXbill', array[]::text[]), ('100%', array['tap_none']), ('1000', array[]::text[]),
  ('re_pay_bill', array[]::text[]), ('now!', array['tap_none']), ('now', array[]::text[]),
  (E'a\\bc', array['tap_none']), ('abc', array[]::text[])
) as v (name, roles);
set local session authorization tap_office;
select set_config('app.current_user_id', '', true) \gset
reset session authorization;
create function test.approves(p_tool text) returns void language sql security definer
return pgthreads.require_approver(p_tool);
set local session authorization tap_office;
select throws_ok($$ select test.approves('pay_bill_abroad') $$, 'THAPR', null,
  'a member of one of two roles may not approve');
reset session authorization;
insert into pgthreads.approval_policy values ('gone', 'tap_nobody_at_all');
set local session authorization tap_office;
select throws_ok($$ select test.approves('gone') $$, 'THAPR', null,
  'a role that does not exist has no members');

select * from finish();
rollback;
