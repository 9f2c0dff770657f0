-- Whether the optional part with search_threads() is installed. A caller that finds no such
-- function asks search_titles() instead.

create or replace function pgthreads.has_search()
returns boolean
language sql
stable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select to_regprocedure('pgthreads.search_threads(text, text, integer, integer)') is not null;
$$;

comment on function pgthreads.has_search() is
  'Whether the messages can be searched, by search_threads, or the titles alone.';
revoke all on function pgthreads.has_search() from public;
grant execute on function pgthreads.has_search() to pgthreads_server;
