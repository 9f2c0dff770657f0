-- Recomputes a thread's digest chain and compares it with what is stored: every message's body, id
-- and place, the header's count and digest, and the digest of the open answer. One query reads the
-- messages in their order, in the snapshot of the caller's statement, so that no concurrent append
-- looks like a fault. Takes no lock.
--
-- Runs with the rights of its caller: a server sees its tenant's threads that are not deleted, and
-- maintenance sees all threads. Each message is checked against the stored digest before it. So if
-- a body was changed together with its own digest, the message after it does not fit, or the header
-- if it is the last one.

create or replace function pgthreads.verify_thread(p_owner_user_id text, p_state_key text)
returns table (ok boolean, checked int, bad_seq int, detail text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_count int;
  v_head bytea;
  v_open_since timestamptz;
  v_open_fits boolean;
  v_found record;
begin
  if not pg_has_role(current_user, 'pgthreads_maintenance', 'usage') then
    perform pgthreads.require_tenant(p_owner_user_id);
  end if;
  perform pgthreads.require_state_key(p_state_key);
  select t.message_count, t.head_digest, t.open_since into v_count, v_head, v_open_since
  from pgthreads.thread as t
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key;
  if not found then
    raise exception 'no such thread' using
      errcode = 'THNON',
      detail = format('There is no thread %s that %I may see.', p_state_key, current_user),
      hint = 'Look for its state key with list_threads, which shows the tenant''s threads.';
  end if;

  select
    count(*)::int as stored,
    min(c.place) filter (where c.seq <> c.place)::int as missing,
    min(c.seq) filter (
      where c.digest is distinct from sha256(
        c.digest_before
          || convert_to(c.body::text || coalesce(E'\n' || c.parent_seq, ''), 'UTF8'))
    ) as unfit,
    min(c.seq) filter (where c.message_id is distinct from c.body ->> 'id') as renamed,
    coalesce(bool_or(c.digest = v_head) filter (where c.seq = v_count), v_count = 0 and v_head = '')
      as has_head
  into strict v_found
  from (
    select m.seq, m.message_id, m.message as body, m.digest, m.parent_seq,
      row_number() over chain as place,
      lag(m.digest, 1, ''::bytea) over chain as digest_before
    from pgthreads.message as m
    where m.owner_user_id = p_owner_user_id and m.state_key = p_state_key
    window chain as (order by m.seq)
  ) as c;

  checked := v_found.stored;
  bad_seq := least(v_found.missing, v_found.unfit, v_found.renamed);
  detail := case bad_seq
    when v_found.missing then format('Message %s is missing.', bad_seq)
    when v_found.unfit then format(
      'Message %s does not fit the digest before it: it was changed, or one before it was.',
      bad_seq)
    when v_found.renamed then format('Message %s is stored under another id than its own.', bad_seq)
  end;
  if bad_seq is null and checked <> v_count then
    bad_seq := least(checked, v_count) + 1;
    detail := format(
      'The thread''s header counts %s messages, but %s are stored.', v_count, checked);
  elsif bad_seq is null and not v_found.has_head then
    bad_seq := nullif(v_count, 0);
    detail := 'The digest in the thread''s header is not that of its last message.';
  elsif bad_seq is null then
    select o.digest = sha256(convert_to(o.message::text, 'UTF8'))
      and o.message_id = o.message ->> 'id'
      and v_open_since is not null
    into v_open_fits
    from pgthreads.open_answer as o
    where o.owner_user_id = p_owner_user_id and o.state_key = p_state_key;
    if coalesce(v_open_fits, v_open_since is null) is not true then
      bad_seq := v_count + 1;
      detail := 'The open answer does not fit its digest, or the thread''s header.';
    end if;
  end if;
  ok := detail is null;
  return next;
end;
$$;

comment on function pgthreads.verify_thread(text, text) is
  'Recomputes the thread''s digest chain, and names the first seq that does not fit.';
revoke all on function pgthreads.verify_thread(text, text) from public;
grant execute on function pgthreads.verify_thread(text, text)
  to pgthreads_server, pgthreads_maintenance;
