begin;
select plan(10);
\ir ../helpers.psql

select test.declared(
  'is_named_tenant', array['text']::name[], 'boolean', false, 'stable', false
);

select ok(not pgthreads.is_named_tenant(null), 'nobody is no tenant');
select ok(not pgthreads.is_named_tenant(''), 'and neither is the empty name');
select pgthreads.set_tenant('alice') \gset
select ok(pgthreads.is_named_tenant('alice'), 'the tenant is');
select ok(not pgthreads.is_named_tenant('bob'), 'another is not');
select ok(not pgthreads.is_named_tenant(null), 'nobody is not');

select * from finish();
rollback;
