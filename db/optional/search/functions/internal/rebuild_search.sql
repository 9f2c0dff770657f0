-- Makes the words of all threads again: at the installation, and after a change of the language.
-- Reads every tenant's messages, so meanwhile row level security is not forced on the owner. Locks:
-- the tables, against everybody, until the transaction ends.

create or replace function pgthreads.rebuild_search()
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_language regconfig := (select c.language::regconfig from pgthreads.search_config as c);
  v_titles bigint;
  v_messages bigint;
begin
  alter table pgthreads.thread no force row level security;
  alter table pgthreads.message no force row level security;
  alter table pgthreads.message_search no force row level security;
  delete from pgthreads.message_search;
  insert into pgthreads.message_search (owner_user_id, state_key, seq, tsv)
  select t.owner_user_id, t.state_key, 0, setweight(to_tsvector(v_language, t.title), 'A')
  from pgthreads.thread as t
  where t.title is not null;
  get diagnostics v_titles = row_count;
  insert into pgthreads.message_search (owner_user_id, state_key, seq, tsv)
  select w.owner_user_id, w.state_key, w.seq, w.tsv
  from (
    select m.owner_user_id, m.state_key, m.seq,
      pgthreads.message_words(v_language, m.message) as tsv
    from pgthreads.message as m
    offset 0
  ) as w
  where w.tsv <> '';
  get diagnostics v_messages = row_count;
  alter table pgthreads.thread force row level security;
  alter table pgthreads.message force row level security;
  alter table pgthreads.message_search force row level security;
  update pgthreads.search_config as c set built_at = clock_timestamp();
  return v_titles + v_messages;
end;
$$;

comment on function pgthreads.rebuild_search() is
  'Makes again what search_threads looks through; for the owner role, while nobody is served.';
revoke all on function pgthreads.rebuild_search() from public;
