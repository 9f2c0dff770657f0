begin;
select plan(1);
\ir ../helpers.psql

set local role tap_server;
select ok(pgthreads.has_search(), 'messages can be searched');

select * from finish();
rollback;
