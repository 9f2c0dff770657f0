begin;
select plan(4);
\ir ../helpers.psql

set local role tap_server;
select is(pgthreads.current_tenant(), null, 'no tenant before one is set');
select pgthreads.set_tenant('alice') \gset
select is(pgthreads.current_tenant(), 'alice', 'the tenant that is set');
set local app.current_user_id = '';
select is(pgthreads.current_tenant(), null, 'an empty setting is no tenant');
set local app.current_user_id = ' ';
select is(pgthreads.current_tenant(), ' ', 'a space is a tenant like any other');

select * from finish();
rollback;
