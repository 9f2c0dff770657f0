-- Trigger of thread: keeps the words of its title, under seq 0.

create or replace function pgthreads.index_title()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_config pgthreads.search_config;
begin
  select c.* into strict v_config from pgthreads.search_config as c;
  delete from pgthreads.message_search as s
  where s.owner_user_id = new.owner_user_id and s.state_key = new.state_key and s.seq = 0;
  if new.title is not null then
    insert into pgthreads.message_search (owner_user_id, state_key, seq, tsv)
    values (new.owner_user_id, new.state_key, 0,
      setweight(to_tsvector(v_config.language::regconfig, new.title), 'A'));
  end if;
  return null;
end;
$$;

comment on function pgthreads.index_title() is
  'Trigger of thread: keeps the words of its title for search_threads.';
revoke all on function pgthreads.index_title() from public;
