begin;
select plan(6);
\ir ../helpers.psql

select test.declared('has_search', array[]::name[], 'boolean', false, 'stable', true);
select is(
  pgthreads.has_search(), exists (
    select from pg_proc as p
    where p.pronamespace = 'pgthreads'::regnamespace and p.proname = 'search_threads'
  ), 'it says whether search_threads is there'
);

select * from finish();
rollback;
