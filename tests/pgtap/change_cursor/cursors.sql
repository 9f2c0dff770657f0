-- This test has written, so its own transaction is the lowest in progress, and the next one.
begin;
select plan(7);
\ir ../helpers.psql

select pgthreads.change_cursor() as cursor \gset
select is(
  split_part(:'cursor', '.', 1), pg_current_xact_id()::text, 'begins at what is in progress'
);
select is(
  split_part(:'cursor', '.', 2)::bigint, (extract(epoch from now()) * 1000000)::bigint,
  'what was not begun before now has written nothing before now'
);
select is(split_part(:'cursor', '.', 3), pg_current_xact_id()::text, 'the next id');
select is(split_part(:'cursor', '.', 4), split_part(:'cursor', '.', 2), 'and its time');
select is(
  split_part(:'cursor', '.', 5), pgthreads.cluster_history()::text, 'what the ids are about'
);
set local role tap_server;
select is(pgthreads.change_cursor('nonsense'), :'cursor', 'a cursor that is none counts as none');
select is(pgthreads.change_cursor(:'cursor'), :'cursor', 'it needs no tenant');

select * from finish();
rollback;
