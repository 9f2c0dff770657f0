begin;
select plan(2);
\ir ../helpers.psql

set local role tap_server;
select is(pgthreads.api_version(), 1, 'the contract is of version 1');
reset role;
set local role pgthreads_maintenance;
select is(pgthreads.api_version(), 1, 'the maintenance role may ask, too');

select * from finish();
rollback;
