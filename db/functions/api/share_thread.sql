-- Makes a link that opens one thread, up to the message that is its last one now, for whoever has
-- the token, until it expires or is revoked. The token is returned here and stored nowhere: the
-- table has its sha256. With a p_share_id that exists, the link gets a new token and a new time,
-- and shows the thread as it is now; so a call whose result got lost can be repeated.
--
-- An answer that waits is not shown. A thread has at most 100 links that open it. Locks: the
-- thread's row.

create or replace function pgthreads.share_thread(
  p_owner_user_id text,
  p_state_key text,
  p_expires_in interval default '30 days',
  p_leaf_id text default null,
  p_share_id text default null
)
returns table (
  share_id text,
  token text,
  title text,
  head_seq int,
  created_at timestamptz,
  expires_at timestamptz
)
language plpgsql
volatile
rows 1
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_max_age interval;
  v_head int;
  v_title text;
  v_token text;
begin
  perform pgthreads.require_thread(p_owner_user_id, p_state_key);
  select c.max_share_age into strict v_max_age from pgthreads.config as c;
  if (p_expires_in > interval '0' and p_expires_in <= v_max_age) is not true then
    raise exception 'not a time for a link' using
      errcode = 'invalid_parameter_value',
      detail = format('p_expires_in is %s; config.max_share_age is %s.',
        coalesce(p_expires_in::text, 'null'), v_max_age),
      hint = case
        when v_max_age = interval '0' then 'Links to threads are turned off in this database.'
        else format('Let the link expire within %s.', v_max_age)
      end;
  end if;
  if char_length(p_share_id) not between 1 and 128 then
    raise exception 'not an id of a link' using
      errcode = 'invalid_parameter_value',
      detail = format('p_share_id has %s characters.', char_length(p_share_id)),
      hint = 'Pass 1 to 128 characters, or null for a new id.';
  end if;
  select coalesce(s.user_seq, case
      when p_leaf_id is null then r.head_seq
      else pgthreads.branch_head(p_owner_user_id, p_state_key, p_leaf_id)
    end), t.title
  into v_head, v_title
  from pgthreads.read_head(p_owner_user_id, p_state_key, p_leaf_id) as r
  join pgthreads.thread as t
    on t.owner_user_id = p_owner_user_id and t.state_key = p_state_key
  left join lateral pgthreads.shown_answer(
    p_owner_user_id, p_state_key, r.message_count, null, p_leaf_id) as s
    on r.is_open;
  if coalesce(v_head, 0) = 0 then
    raise exception 'there is nothing to share' using
      errcode = 'THNON',
      detail = format('Thread %s has no messages.', p_state_key),
      hint = 'Share the thread when it has a message.';
  end if;
  delete from pgthreads.share as s
  where s.owner_user_id = p_owner_user_id
    and s.state_key = p_state_key
    and (s.revoked_at is not null or s.expires_at <= clock_timestamp());
  if (
    select count(*)
    from pgthreads.share as s
    where s.owner_user_id = p_owner_user_id
      and s.state_key = p_state_key
      and s.share_id is distinct from p_share_id
  ) >= bigint '100' then
    raise exception 'the thread has too many links' using
      errcode = 'THMAX',
      detail = format('Thread %s has 100 links that open it.', p_state_key),
      hint = 'Revoke a link that is not needed any more.';
  end if;
  -- 32 random bytes, as base64url.
  v_token := translate(rtrim(encode(sha256(
    uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
  ), 'base64'), '='), '+/', '-_');
  return query
    insert into pgthreads.share as s
      (owner_user_id, state_key, share_id, token_sha256, head_seq, title, created_at, expires_at)
    select p_owner_user_id, p_state_key, coalesce(p_share_id, pgthreads.new_state_key()),
      sha256(convert_to(v_token, 'UTF8')), v_head, v_title, c, c + p_expires_in
    from clock_timestamp() as c
    on conflict on constraint share_pkey do update
    set token_sha256 = excluded.token_sha256,
      head_seq = excluded.head_seq,
      title = excluded.title,
      created_at = excluded.created_at,
      expires_at = excluded.expires_at
    returning s.share_id, v_token, s.title, s.head_seq, s.created_at, s.expires_at;
end;
$$;

comment on function pgthreads.share_thread(text, text, interval, text, text) is
  'Makes a link that opens the thread as it is now; returns the token, which is stored nowhere.';
revoke all on function pgthreads.share_thread(text, text, interval, text, text) from public;
grant execute on function pgthreads.share_thread(text, text, interval, text, text)
  to pgthreads_server;
