-- config.require_verified_tenant, and the function that stands for it.
begin;
select plan(10);
\ir ../helpers.psql

set local role pgthreads_owner;
select is(pgthreads.requires_token(), false, 'it ships turned off');
select throws_like(
  'update pgthreads.config set require_verified_tenant = true', '%no key%',
  'it is not turned on without a key'
);
insert into pgthreads.tenant_key (id, active_from, active_until)
values ('ended', '2001-01-01', '2002-01-01');
select throws_ok(
  'update pgthreads.config set require_verified_tenant = true', '55000', null,
  'nor with one that has ended'
);
insert into pgthreads.tenant_key (id, active_from) values ('k', '2001-01-01');
prepare required as select pgthreads.requires_token();
select results_eq('required', 'values (false)', 'a prepared statement sees it off');
update pgthreads.config set require_verified_tenant = true;
select results_eq('required', 'values (true)', 'and then on');
select throws_like(
  $$ select pgthreads.set_tenant('ada') $$, 'not a tenant token', 'set_tenant wants a token'
);
update pgthreads.tenant_key set active_until = now() where id = 'k';
select lives_ok(
  'update pgthreads.config set require_verified_tenant = true',
  'staying on takes no key, so that an upgrade never fails for it'
);
update pgthreads.config set require_verified_tenant = false;
select results_eq('required', 'values (false)', 'off again');
select is(pgthreads.set_tenant('ada'), 'ada', 'set_tenant takes an owner');
select ok(
  (select p.proconfig is null from pg_proc as p
    where p.oid = 'pgthreads.requires_token()'::regprocedure),
  'requires_token has no settings, which would hide it from the planner'
);

select * from finish();
rollback;
