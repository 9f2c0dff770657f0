-- Budgets in bytes, so that the cost of a call is bounded whatever a thread or a journal holds.

set local lock_timeout = '10s';
set local statement_timeout = '10min';

alter table pgthreads.config
  add column max_partial_bytes int not null default 8388608
    constraint config_max_partial_bytes_check check (max_partial_bytes > 0),
  add column max_prompt_bytes int not null default 4194304
    constraint config_max_prompt_bytes_check check (max_prompt_bytes > 0),
  add column max_page_bytes int not null default 4194304
    constraint config_max_page_bytes_check check (max_page_bytes > 0);

comment on column pgthreads.config.max_partial_bytes is
  'Bytes of an abandoned turn''s journal that a partial answer is made of; what comes behind is left out.';
comment on column pgthreads.config.max_prompt_bytes is
  'Bytes of the history that begin_turn returns, oldest messages left out; one message always comes.';
comment on column pgthreads.config.max_page_bytes is
  'Bytes of messages that read_thread returns in a call; one message always comes.';
