begin;
select plan(11);
\ir ../helpers.psql

create function test.refusal() returns text language plpgsql as $$
declare
  v_detail text;
begin
  return pgthreads.require_server_role();
exception when insufficient_privilege then
  get stacked diagnostics v_detail = pg_exception_detail;
  return v_detail;
end;
$$;
create role tap_bypass nologin bypassrls in role pgthreads_server;
create role tap_owner nologin in role pgthreads_server, pgthreads_owner;
create role tap_operator nologin in role pgthreads_server, pgthreads_maintenance;
create role tap_saver nologin in role pgthreads_server, pgthreads_backup;
create role tap_other nologin;
create role tap_below nologin in role tap_server;

select is(test.refusal(), format('Role %I is a superuser.', current_user),
  'a superuser is refused');
set local role tap_server;
select is(test.refusal(), 'tap_server', 'a member of pgthreads_server is what it takes');
set local role tap_below;
select is(test.refusal(), 'tap_below', 'also by way of another role');
set local role tap_bypass;
select is(test.refusal(), 'Role tap_bypass has BYPASSRLS.', 'BYPASSRLS is refused');
set local role tap_owner;
select is(test.refusal(), 'Role tap_owner is a member of pgthreads_owner.',
  'a member of the owner');
set local role tap_operator;
select is(
  test.refusal(), 'Role tap_operator is a member of pgthreads_maintenance.',
    'a member of maintenance'
);
set local role tap_saver;
select is(test.refusal(), 'Role tap_saver is a member of pgthreads_backup.', 'a member of backup');
set local role tap_server;
set local row_security = off;
select is(
  test.refusal(), 'Role tap_server begins its sessions with row_security off.', 'row_security off'
);
set local row_security = on;
reset role;
do $$ begin
  execute format('alter role %I set app.current_user_id = ''ada''', session_user);
end $$;
set local role tap_server;
select is(
  test.refusal(), 'Role tap_server begins its sessions with a tenant, app.current_user_id.',
  'a tenant from the start'
);
set local role tap_other;
select throws_ok(
  'select pgthreads.require_server_role()', '42501', null, 'who is no member may not even ask'
);
reset role;
set local role pgthreads_owner;
select is(
  test.refusal(), 'Role pgthreads_owner is a member of pgthreads_owner.',
    'the owner itself is refused'
);

select * from finish();
rollback;
