-- What monitoring asks for: when the digests were verified last. thread_stats gets more columns, so it
-- is dropped here and comes again in the same transaction.
-- squawk-ignore-file ban-drop-function, prefer-bigint-over-int

set local lock_timeout = '10s';
set local statement_timeout = '10min';

create table pgthreads.verification (
  only_row boolean primary key default true
    constraint verification_only_row_check check (only_row),
  finished_at timestamptz not null default clock_timestamp(),
  threads bigint not null,
  bad bigint not null,
  constraint verification_counts_check check (bad between 0 and threads)
);

comment on table pgthreads.verification is
  'One row: the last time that somebody verified the digests of all threads.';
comment on column pgthreads.verification.only_row is 'Keeps this table at one row.';
comment on column pgthreads.verification.finished_at is 'When the last page was done.';
comment on column pgthreads.verification.threads is 'How many threads were verified.';
comment on column pgthreads.verification.bad is 'How many did not fit.';

drop function if exists pgthreads.thread_stats();
