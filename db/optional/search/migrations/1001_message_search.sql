-- Search: what is looked through, beside the messages, and in which language.

set local lock_timeout = '10s';
set local statement_timeout = '10min';

create table pgthreads.message_search (
  owner_user_id text collate "C" not null,
  state_key text collate "C" not null,
  seq int not null
    constraint message_search_seq_check check (seq >= 0),
  tsv tsvector not null,
  constraint message_search_pkey primary key (owner_user_id, state_key, seq)
);

comment on table pgthreads.message_search is
  'The words of messages and titles, for search_threads. Kept by triggers; rebuild_search makes it anew.';
comment on column pgthreads.message_search.seq is 'The message''s seq; 0 is the thread''s title.';
comment on column pgthreads.message_search.tsv is
  'Titles have weight A, user messages B, answers C.';

create table pgthreads.search_config (
  only_row boolean primary key default true
    constraint search_config_only_row_check check (only_row),
  language text not null default 'english'
    constraint search_config_language_check check (language::regconfig is not null),
  built_at timestamptz
);

comment on table pgthreads.search_config is 'One row: how words are told apart.';
comment on column pgthreads.search_config.only_row is 'Keeps this table at one row.';
comment on column pgthreads.search_config.language is
  'A text search configuration, as \dF of psql lists them. Call rebuild_search after a change.';
comment on column pgthreads.search_config.built_at is
  'When rebuild_search ran last; null before the first time.';

insert into pgthreads.search_config default values;

-- As the messages: lz4 where this server was built with it.
do $$
begin
  if exists (
    select
    from pg_settings as s
    where s.name = 'default_toast_compression' and 'lz4' = any (s.enumvals)
  ) then
    alter table pgthreads.message_search alter column tsv set compression lz4;
  end if;
end;
$$;
