-- Removes everything of an owner, whether it is deleted or not, and returns a receipt: what was
-- removed, and each thread's last digest, by which a copy that is kept elsewhere can be recognised.
--
-- By default this is one transaction, so that all is removed or nothing. With p_batch a call
-- removes at most p_batch threads: repeat it until the receipt says complete, and keep every
-- receipt. The caller has to make sure that the owner writes no more. Locks: the advisory lock that
-- write_journal() shares, then the owner's threads in the order of their keys. It waits for whoever
-- holds a thread, because none may be left out. Any login can take the advisory lock; so this waits
-- for it for at most a minute, unless lock_timeout says otherwise, and then names who holds it.

create or replace function pgthreads.erase_owner(p_owner_user_id text, p_batch int default null)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set role = 'pgthreads_maintenance'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
  v_thread record;
  v_removed record;
  v_digests jsonb[] := array[]::jsonb[];
  v_messages bigint := 0::bigint;
  v_turns bigint := 0::bigint;
  v_bytes bigint := 0::bigint;
  v_complete boolean;
  v_lock_timeout constant text := current_setting('lock_timeout');
begin
  if p_owner_user_id is null or char_length(p_owner_user_id) not between 1 and 255 then
    raise exception 'not an owner id' using
      errcode = 'invalid_parameter_value',
      detail = 'An owner id has 1 to 255 characters.',
      hint = 'Look for the owner''s id in the view owner_usage, which lists the owners.';
  end if;
  if p_batch is not null then
    perform pgthreads.require_batch(p_batch);
  end if;
  if exists (
    select
    from pgthreads.retention as r
    where r.owner_user_id = p_owner_user_id and r.purge_after is null
  ) then
    raise exception 'the owner is on hold' using
      errcode = 'object_not_in_prerequisite_state',
      detail = 'The owner''s row in pgthreads.retention has no purge_after: nothing is removed.',
      hint = 'Delete that row if the hold has ended, and repeat the call.';
  end if;
  if v_lock_timeout = '0' then
    perform set_config('lock_timeout', '60s', true);
  end if;
  begin
    perform pg_advisory_xact_lock(1886807154, hashtext(p_owner_user_id));
  exception
    when lock_not_available then
      raise exception 'the lock of this erasure is held by others' using
        errcode = 'lock_not_available',
        detail = format('It is held by %s.',
          pgthreads.lock_holders(1886807154, hashtext(p_owner_user_id))),
        hint = 'Nothing was removed. If neither a turn of the owner nor another erasure runs, end'
          || ' that session with pg_terminate_backend, and repeat the call.';
  end;
  perform set_config('lock_timeout', v_lock_timeout, true);
  for v_thread in
    select t.state_key, t.message_count, t.head_digest
    from pgthreads.thread as t
    where t.owner_user_id = p_owner_user_id
    order by t.state_key
    limit p_batch
    for update
  loop
    select r.* into strict v_removed
    from pgthreads.remove_thread(p_owner_user_id, v_thread.state_key) as r;
    v_messages := v_messages + v_removed.messages;
    v_turns := v_turns + v_removed.turns;
    v_bytes := v_bytes + v_removed.bytes;
    v_digests := array_append(v_digests, jsonb_build_object(
      'state_key', v_thread.state_key,
      'messages', v_removed.messages,
      'digest', encode(v_thread.head_digest, 'hex')));
  end loop;
  v_complete := not exists (
    select from pgthreads.thread as t where t.owner_user_id = p_owner_user_id
  );
  if v_complete then
    -- Journals without a thread were written after the thread had been purged.
    delete from pgthreads.journal as j where j.owner_user_id = p_owner_user_id;
    delete from pgthreads.retention as r where r.owner_user_id = p_owner_user_id;
    delete from pgthreads.usage_total as u where u.owner_user_id = p_owner_user_id;
  end if;
  return jsonb_build_object(
    'owner_user_id', p_owner_user_id,
    'erased_at', clock_timestamp(),
    'complete', v_complete,
    'threads', cardinality(v_digests),
    'messages', v_messages,
    'turns', v_turns,
    'bytes', v_bytes,
    'digests', to_jsonb(v_digests));
end;
$$;

comment on function pgthreads.erase_owner(text, int) is
  'Removes everything of an owner; returns a receipt with counts and the threads'' last digests.';
revoke all on function pgthreads.erase_owner(text, int) from public;
grant execute on function pgthreads.erase_owner(text, int) to pgthreads_maintenance;
