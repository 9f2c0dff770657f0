-- thread_stats gets more columns, so it is dropped here and comes again in the same transaction.
-- squawk-ignore-file ban-drop-function

set local lock_timeout = '10s';
set local statement_timeout = '10min';

drop function if exists pgthreads.thread_stats();
