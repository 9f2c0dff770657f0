-- What one owner may use at once, so that one cannot use up what is everybody's.

set local lock_timeout = '10s';
set local statement_timeout = '10min';

alter table pgthreads.config add column max_turns_per_owner int default 100
  constraint config_max_turns_per_owner_check check (max_turns_per_owner >= 0);
alter table pgthreads.config add column max_queued_per_owner int default 100
  constraint config_max_queued_per_owner_check check (max_queued_per_owner >= 0);

comment on column pgthreads.config.max_turns_per_owner is
  'Turns of one owner that may run at once; null for no limit. Calls that begin at the same moment do '
  'not see each other, so there may be as many more for a while.';
comment on column pgthreads.config.max_queued_per_owner is
  'Messages of one owner that may wait for running turns, in all threads together; null for no limit.';
