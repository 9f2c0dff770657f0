-- What a link shows to whoever has its token: the title and the messages of one branch of one
-- thread, up to the message that was its last one when it was shared. No row if no link has this
-- token, or if it has been revoked, has expired, or its thread is deleted; nobody learns which.
--
-- The caller needs no tenant, and gets none: this function works as the thread's owner for its own
-- statements alone, and sets the tenant back before it returns. If a statement fails, PostgreSQL
-- sets it back. The token is compared by its sha256, once here and once by the policy of share.
--
-- What belongs to the application is left out: ids of the owner and the thread, messages of role
-- system, metadata. BOUNDED_WORK: a page has the newest messages of the window that fit into 1 MiB
-- or into config.max_page_bytes, and at least one. earlier_seq is the p_before_seq of the page
-- before it.

create or replace function pgthreads.read_share(
  p_token text,
  p_last int default null,
  p_before_seq int default null
)
returns table (
  title text,
  messages json,
  earlier_seq int,
  shared_at timestamptz,
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
  v_tenant constant text := coalesce(current_setting('app.current_user_id', true), '');
  v_digest bytea;
  v_share pgthreads.share;
  v_max_bytes bigint;
  v_first int[];
  v_last int[];
  v_from int;
  v_to int;
  v_bodies text[] := array[]::text[];
begin
  perform pgthreads.require_window(p_last, p_before_seq);
  if char_length(p_token) is distinct from 43 then
    return;
  end if;
  v_digest := sha256(convert_to(p_token, 'UTF8'));
  perform set_config('app.current_user_id', '', true);
  perform set_config('app.share_token', p_token, true);
  select s.* into v_share
  from pgthreads.share as s
  where s.token_sha256 = v_digest;
  perform set_config('app.share_token', '', true);
  if found then
    perform set_config('app.current_user_id', v_share.owner_user_id, true);
    select s.title, s.created_at, least(s.expires_at, s.created_at + c.max_share_age),
      least(c.max_page_bytes, 1048576)::bigint
    into title, shared_at, expires_at, v_max_bytes
    from pgthreads.thread as t
    cross join pgthreads.config as c
    cross join (select (v_share).*) as s
    where t.owner_user_id = v_share.owner_user_id
      and t.state_key = v_share.state_key
      and t.deleted_at is null
      and s.revoked_at is null
      and least(s.expires_at, s.created_at + c.max_share_age) > clock_timestamp();
    if found then
      select array_agg(r.first_seq order by r.first_seq), array_agg(r.last_seq order by r.first_seq)
      into v_first, v_last
      from pgthreads.window_ranges(v_share.owner_user_id, v_share.state_key, v_share.head_seq,
        p_last, p_before_seq, v_max_bytes) as r;
      for v_index in 1..coalesce(cardinality(v_first), 0) loop
        v_from := v_first[v_index];
        v_to := v_last[v_index];
        v_bodies := v_bodies || array(
          select pgthreads.shared_message(m.message::jsonb)::text
          from pgthreads.message as m
          where m.owner_user_id = v_share.owner_user_id
            and m.state_key = v_share.state_key
            and m.seq between v_from and v_to
            and m.message ->> 'role' <> 'system'
          order by m.seq
        );
      end loop;
      messages := ('[' || array_to_string(v_bodies, ', ') || ']')::json;
      v_from := v_first[1];
      select case when coalesce(m.parent_seq, m.seq - 1) > 0 then m.seq end into earlier_seq
      from pgthreads.message as m
      where m.owner_user_id = v_share.owner_user_id
        and m.state_key = v_share.state_key
        and m.seq between v_from and v_from
      order by m.seq;
      return next;
    end if;
  end if;
  perform set_config('app.current_user_id', v_tenant, true);
end;
$$;

comment on function pgthreads.read_share(text, int, int) is
  'What the link with this token shows: a title and messages; no row if it shows nothing.';
revoke all on function pgthreads.read_share(text, int, int) from public;
grant execute on function pgthreads.read_share(text, int, int) to pgthreads_server;
