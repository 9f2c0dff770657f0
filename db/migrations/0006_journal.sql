-- The journal: what a running turn has sent so far, for followers on other servers, and for whoever
-- finds the turn abandoned. Unlogged: it is worth seconds, and after a crash of the database its writer
-- begins again. extend_turn gets a parameter with a default, so it is dropped here and comes again in
-- the same transaction.
-- squawk-ignore-file ban-drop-function, constraint-missing-not-valid

set local lock_timeout = '10s';
set local statement_timeout = '10min';

-- No foreign key: its lock on the turn's row would be a write to the WAL at each tick.
create unlogged table pgthreads.journal (
  owner_user_id text collate "C" not null,
  state_key text collate "C" not null,
  turn_id text collate "C" not null,
  start_offset int not null constraint journal_start_offset_check check (start_offset >= 0),
  end_offset int not null,
  frames text not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint journal_pkey primary key (owner_user_id, state_key, turn_id, start_offset),
  constraint journal_end_offset_check check (end_offset > start_offset)
-- Rows live for seconds: what counts is how many are dead, and not which share.
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

comment on table pgthreads.journal is
  'The streams of running turns, a row a tick; deleted some seconds after the turn''s end.';
comment on column pgthreads.journal.start_offset is
  'Where the row begins in its turn''s stream, in bytes of UTF-8; the end of the row before.';
comment on column pgthreads.journal.end_offset is 'Where it ends; the greatest is the journal''s end.';
comment on column pgthreads.journal.frames is
  'Whole frames of the AI SDK''s UI message stream, as they were sent: before redaction.';

do $$
begin
  if exists (
    select
    from pg_settings as s
    where s.name = 'default_toast_compression' and 'lz4' = any (s.enumvals)
  ) then
    alter table pgthreads.journal alter column frames set compression lz4;
  end if;
end;
$$;

drop function if exists pgthreads.extend_turn(text, text, text);
