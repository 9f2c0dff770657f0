-- How long finished turns and late answers are kept, what is counted of them before they go, and when
-- vacuum comes. The index cannot be built concurrently, because an installation is one transaction.
-- squawk-ignore-file require-concurrent-index-creation, prefer-bigint-over-int

set local lock_timeout = '10s';
set local statement_timeout = '10min';

alter table pgthreads.config
  add column turns_kept interval default '90 days'
    constraint config_turns_kept_check check (turns_kept >= '1 day'),
  add column late_answers_kept interval default '90 days'
    constraint config_late_answers_kept_check check (late_answers_kept >= '0');

comment on column pgthreads.config.turns_kept is
  'How long finished turns are kept before purge_turns may remove them; null is for ever. A day at '
  'least, because a call that is repeated must find the turn that it was about.';
comment on column pgthreads.config.late_answers_kept is
  'How long late answers are kept before purge_turns may remove them; null is for ever.';

create table pgthreads.usage_total (
  owner_user_id text collate "C" not null
    constraint usage_total_owner_user_id_check check (char_length(owner_user_id) between 1 and 255),
  month date not null
    constraint usage_total_month_check check (extract(day from month) = 1),
  turns bigint not null,
  usage jsonb not null default '{}'
    constraint usage_total_usage_check check (jsonb_typeof(usage) = 'object'),
  constraint usage_total_pkey primary key (owner_user_id, month)
);

comment on table pgthreads.usage_total is
  'What the turns that are removed have used; owner_usage adds those that are still there.';
comment on column pgthreads.usage_total.month is
  'The first day of the month, in UTC, in which the turns began.';
comment on column pgthreads.usage_total.turns is 'How many turns.';
comment on column pgthreads.usage_total.usage is
  'The sum of each number at the top of their usage.';

-- An entry is made when a turn ends, in the order of time, so it goes to the index's last page.
create index turn_finished on pgthreads.turn (finished_at) where finished_at is not null;
create index late_answer_created on pgthreads.late_answer (created_at);

-- Each turn leaves dead row versions behind, and dead entries in turn_one_running, which every reaping
-- reads. Vacuum would not clean indexes while few pages have dead rows, however large the table is.
-- Messages never change, so a page of them can be frozen by the first vacuum that sees it. These are
-- settings of tables that hold rows: of the partitions, where there are any.
do $$
declare
  v_table regclass;
begin
  for v_table in
    select coalesce(p.relid, c.oid)
    from pg_class as c
    left join lateral pg_partition_tree(c.oid) as p on p.isleaf and c.relkind = 'p'
    where c.oid in ('pgthreads.turn'::regclass)
  loop
    execute format(
      'alter table %s set (autovacuum_vacuum_scale_factor = 0.01, vacuum_index_cleanup = on)',
      v_table);
  end loop;
  for v_table in
    select coalesce(p.relid, c.oid)
    from pg_class as c
    left join lateral pg_partition_tree(c.oid) as p on p.isleaf and c.relkind = 'p'
    where c.oid in ('pgthreads.message'::regclass)
  loop
    execute format(
      'alter table %s set (autovacuum_freeze_min_age = 0,'
      ' autovacuum_vacuum_insert_scale_factor = 0.05)', v_table);
  end loop;
end;
$$;
