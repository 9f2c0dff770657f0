-- Writes messages behind a thread's last one, and updates the thread's row; returns how many
-- messages the thread then has. append_thread and complete_turn call this. They hold the lock of
-- the thread's row, know that none of the ids is stored, and pass what they read under that lock:
-- the count, the digest of the last message, the title, and the seq that the first message
-- continues if that is not the last one. Without messages only the metadata changes.

create or replace function pgthreads.write_messages(
  p_owner_user_id text,
  p_state_key text,
  p_ids text[],
  p_bodies text[],
  p_count int,
  p_digest bytea,
  p_parent int,
  p_title text,
  p_metadata jsonb,
  p_now timestamptz
)
returns int
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_body text;
  v_digest bytea := p_digest;
  v_digests bytea[];
begin
  foreach v_body in array p_bodies loop
    v_digest := sha256(v_digest || convert_to(v_body, 'UTF8') || case
      when v_digests is null and p_parent is not null then convert_to(E'\n' || p_parent, 'UTF8')
      else ''
    end);
    v_digests := array_append(v_digests, v_digest);
  end loop;
  -- The messages come first: the check of their foreign key then finds the thread's row locked
  -- already. FOUND says that the loop had one.
  if found then
    insert into pgthreads.message
      (owner_user_id, state_key, seq, message_id, message, digest, parent_seq, bytes)
    select p_owner_user_id, p_state_key, p_count + u.place, u.id, u.body::json, u.digest,
      case when u.place = 1 then p_parent end, octet_length(u.body)
    from unnest(p_ids, p_bodies, v_digests) with ordinality as u (id, body, digest, place);
  end if;
  update pgthreads.thread as t
  set message_count = p_count + cardinality(p_ids),
    head_digest = v_digest,
    title = p_title,
    metadata = case
      when p_metadata is null then t.metadata
      else pgthreads.merge_metadata(t.metadata, p_metadata)
    end,
    -- Whoever appends has closed the open answer, or appends it as it is complete.
    open_since = case when p_ids = '{}' then t.open_since end,
    updated_at = p_now,
    -- Most appends do not change it, because it is indexed. list_threads knows how old it may be.
    recent_at = case
      when t.recent_at between p_now - interval '59 seconds' and p_now then t.recent_at
      else p_now
    end
  where t.owner_user_id = p_owner_user_id and t.state_key = p_state_key;
  return p_count + cardinality(p_ids);
end;
$$;

comment on function pgthreads.write_messages(
  text, text, text[], text[], int, bytea, int, text, jsonb, timestamptz) is
  'Writes messages behind a thread''s last one, under the caller''s lock; returns the new count.';
revoke all on function pgthreads.write_messages from public;
