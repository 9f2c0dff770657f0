begin;
select plan(2);
\ir ../helpers.psql

set local role tap_server;
select test.refuses(
  'select pgthreads.set_tenant(null)', 'THTEN', '%1 to 255 characters%', null,
  'an owner is not null'
);
select is(pgthreads.current_tenant(), null, 'and nothing is set');

select * from finish();
rollback;
