-- Another app.current_user_id in the middle of a transaction, or of a statement. The setting says
-- which tenant's threads a call may append to; no value of it lets anybody change what is stored.
begin;
select plan(8);
\ir attacks.psql

select test.attack('tap_server', 'the tenant', statement)
from (values
  ($$ set local app.current_user_id = 'bob';
      select pgthreads.append_thread('alice', 'k', test.messages(4, 4)) $$),
  ($$ select a.*
      from pgthreads.set_tenant('alice') as t (owner),
        lateral set_config('app.current_user_id', 'bob' || left(t.owner, 0), true) as s,
        lateral pgthreads.append_thread(
          t.owner, 'k', test.messages(4, 4), p_metadata => jsonb_build_object('s', s)) as a $$),
  ($$ set local app.current_user_id = '';
      select pgthreads.append_thread('', 'k', test.messages(4, 4)) $$),
  ($$ reset app.current_user_id;
      select pgthreads.soft_delete_thread('alice', 'k') $$)
) as v (statement);

select test.attack('tap_server', 'a privilege', format(
  $$ set local app.current_user_id = %L; delete from pgthreads.message $$, tenant))
from (values ('bob'), ('%'), (''' or true --')) as v (tenant);

-- The owner role without the trigger: no policy, whoever the tenant is.
alter table pgthreads.message disable trigger message_grow_only;
select test.attack('pgthreads_owner', 'a policy', $$
  set local app.current_user_id = 'bob';
  update pgthreads.message set message = '{}';
  set local app.current_user_id = 'alice';
  delete from pgthreads.message
$$);

select * from finish();
rollback;
