-- Numbers and uuids are owners by their text, and no call becomes ambiguous.
begin;
select plan(28);
\ir ../helpers.psql

select test.declared('set_tenant', array['bigint']::name[], 'text', false, 'volatile', true);
select test.declared('set_tenant', array['uuid']::name[], 'text', false, 'volatile', true);

set local role tap_server;
select is(pgthreads.set_tenant(7), '7', 'an integer');
select is(pgthreads.current_tenant(), '7', 'is the tenant');
select is(pgthreads.set_tenant(7::smallint), '7', 'a smallint');
select is(pgthreads.set_tenant(-9223372036854775808), '-9223372036854775808', 'the least bigint');
select is(
  pgthreads.set_tenant('0D3C5B6A-1111-4222-8333-0123456789AB'::uuid),
  '0d3c5b6a-1111-4222-8333-0123456789ab', 'a uuid'
);
select is(
  pgthreads.current_tenant(), '0d3c5b6a-1111-4222-8333-0123456789ab', 'is the tenant, as its text'
);
select is(
  pgthreads.set_tenant('0D3C5B6A-1111-4222-8333-0123456789AB'),
  '0D3C5B6A-1111-4222-8333-0123456789AB', 'a literal is text, whatever it looks like'
);
select is(pgthreads.set_tenant('7'), '7', 'and so is a number in quotes');
select is(pgthreads.set_tenant('ada'::varchar), 'ada', 'varchar');
select is(pgthreads.set_tenant('ada'::name), 'ada', 'name');
select is(pgthreads.set_tenant(case when true then 'ada' end), 'ada', 'an expression of literals');

prepare untyped as select pgthreads.set_tenant($1);
select is(
  (select p.parameter_types from pg_prepared_statements as p where p.name = 'untyped'),
  array['text']::regtype[], 'a parameter without a type is text'
);
select test.refuses(
  v.call, 'THTEN', '%1 to 255 characters%', null, v.call
)
from (values
  (1, 'select pgthreads.set_tenant(null)'),
  (2, 'select pgthreads.set_tenant(null::bigint)'),
  (3, 'select pgthreads.set_tenant(null::uuid)')
) as v (place, call)
order by v.place;

-- They are no way around a token.
reset role;
insert into pgthreads.tenant_key (id) values ('first');
update pgthreads.config set require_verified_tenant = true;
set local role tap_server;
select test.refuses(v.call, 'THTEN', null, null, v.call || ', where a token is wanted')
from (values
  (1, 'select pgthreads.set_tenant(7)'),
  (2, $$ select pgthreads.set_tenant('0d3c5b6a-1111-4222-8333-0123456789ab'::uuid) $$)
) as v (place, call)
order by v.place;
select is(pgthreads.current_tenant(), null, 'and nothing is set');

select * from finish();
rollback;
