begin;
select plan(3);
\ir ../operators.psql

select pgthreads.set_tenant('alice') \g /dev/null
select pgthreads.begin_turn('alice', 'k', test.message('u'), 't1') \g /dev/null
select pgthreads.request_stop('alice', 'k') \g /dev/null
select pgthreads.begin_turn('alice', 'k2', test.message('u'), 't2') \g /dev/null
select pgthreads.finish_turn('alice', 'k2', 't2', 'failed') \g /dev/null
select pgthreads.set_tenant('bob') \g /dev/null
select pgthreads.begin_turn('bob', 'k', test.message('u'), 't1') \g /dev/null
update pgthreads.turn set lease_until = now() - interval '1 hour' where owner_user_id = 'bob';

set local role tap_operator;
select results_eq(
  $$ select owner_user_id collate "default",
      state_key collate "default", turn_id collate "default", age >= '0', lease_left > '0',
      stop_requested_at is null
    from pgthreads.open_turns order by owner_user_id $$,
  $$ values ('alice', 'k', 't1', true, true, false), ('bob', 'k', 't1', true, false, true) $$,
  'running turns of all owners'
);
select results_eq(
  $$ select lease_left between '-01:01' and '-01:00' from pgthreads.open_turns
    where owner_user_id = 'bob' $$, array[true], 'with what is left of their lease'
);
set local role tap_server;
select throws_ok(
  'select * from pgthreads.open_turns', '42501', 'permission denied for view open_turns',
  'they are not for servers'
);

select * from finish();
rollback;
