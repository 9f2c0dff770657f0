-- Notes for monitoring that the digests of all threads were verified just now. verify_threads does
-- not do this by itself, because it verifies one page at a time, takes no lock, and also runs on a
-- standby.

create or replace function pgthreads.note_verification(p_threads bigint, p_bad bigint)
returns timestamptz
language sql
volatile
set search_path = pg_catalog, pg_temp
set role = 'pgthreads_maintenance'
as $$
  insert into pgthreads.verification as v (threads, bad)
  values (p_threads, p_bad)
  on conflict (only_row) do update
  set finished_at = excluded.finished_at, threads = excluded.threads, bad = excluded.bad
  returning v.finished_at;
$$;

comment on function pgthreads.note_verification(bigint, bigint) is
  'Notes when all threads were verified, how many they were, and how many did not fit.';
revoke all on function pgthreads.note_verification(bigint, bigint) from public;
grant execute on function pgthreads.note_verification(bigint, bigint) to pgthreads_maintenance;
