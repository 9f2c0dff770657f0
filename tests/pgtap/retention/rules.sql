-- Operators write this table; servers and the owner role cannot read it.
begin;
select plan(8);
\ir ../operators.psql

set local role tap_operator;
select lives_ok(
  $$ insert into pgthreads.retention
    values ('alice', '7 days', 'asked for it'), ('bob', null, 'a lawsuit') $$,
  'operators make rows'
);
select lives_ok(
  $$ update pgthreads.retention set purge_after = '1 day' where owner_user_id = 'bob' $$,
  'and change them'
);
select throws_ok(
  $$ insert into pgthreads.retention values ('carol', '-1 day') $$, '23514', null, 'no age below 0'
);
select throws_ok(
  $$ insert into pgthreads.retention values ('', '1 day') $$, '23514', null, 'no empty owner'
);
select throws_ok(
  $$ update pgthreads.config set purge_after = '0' $$, '42501', null,
  'but config is not theirs'
);
set local role tap_server;
select throws_ok('select * from pgthreads.retention', '42501', null, 'a server reads none');
set local role pgthreads_owner;
select is_empty('select * from pgthreads.retention', 'the owner role sees none');
select throws_ok(
  $$ insert into pgthreads.retention values ('x', '1 day') $$, '42501', null, 'and makes none'
);

select * from finish();
rollback;
