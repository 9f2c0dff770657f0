-- What readers may be told of a turn beside its message.

set local lock_timeout = '10s';
set local statement_timeout = '10min';

alter table pgthreads.config add column show_usage boolean not null default false;

comment on column pgthreads.config.show_usage is
  'Whether read_thread_details tells clients the usage of turns.';
