-- A thread as read_thread() returns it, with details in each message's metadata, under the key
-- pgthreads: createdAt, and for an answer also the status, model, duration and usage of its turn.
-- What is stored does not change. The key is reserved: append_thread and its like leave it out of
-- the messages that they store, so it cannot come from an application. Metadata that is no object
-- stays as it is.
--
-- The digest covers the details as well, because they can change while the thread does not: a turn
-- ends after its answer was appended, or old turns are purged.

create or replace function pgthreads.read_thread_details(
  p_owner_user_id text,
  p_state_key text,
  p_last int default null,
  p_before_seq int default null,
  p_known_digest text default null,
  p_leaf_id text default null
)
returns table (
  state_key text,
  title text,
  message_count int,
  metadata jsonb,
  created_at timestamptz,
  updated_at timestamptz,
  digest text,
  messages json,
  earlier_seq int
)
language plpgsql
stable
rows 1
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_messages json;
  v_ids text[];
  v_details jsonb[];
begin
  select r.state_key, r.title, r.message_count, r.metadata, r.created_at, r.updated_at, r.digest,
    r.messages, r.earlier_seq
  into state_key, title, message_count, metadata, created_at, updated_at, digest, v_messages,
    earlier_seq
  from pgthreads.read_thread(
    p_owner_user_id, p_state_key, p_last, p_before_seq, null, p_leaf_id) as r;
  if not found then
    return;
  end if;
  select coalesce(array_agg(e.message ->> 'id' order by e.place), '{}') into v_ids
  from json_array_elements(v_messages) with ordinality as e (message, place);

  -- Several turns make one answer if it has waited. Of these the last one says how it ended.
  with answer as materialized (
    select n.assistant_message_id as id,
      (array_agg(n.status order by n.started_at desc, n.turn_id))[1] as status,
      (1000 * extract(epoch from sum(n.finished_at - n.started_at)))::bigint as duration,
      array_agg(n.usage order by n.started_at, n.turn_id)
        filter (where jsonb_typeof(n.usage) = 'object') as usages
    from pgthreads.turn as n
    where n.owner_user_id = p_owner_user_id
      and n.state_key = p_state_key
      and n.assistant_message_id = any (v_ids)
      and n.finished_at is not null
    group by n.assistant_message_id
  )
  select coalesce(array_agg(
      jsonb_strip_nulls(jsonb_build_object(
        'createdAt', to_char(
          coalesce(m.created_at, o.open_since) at time zone 'UTC',
          'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
        'status', case
          when a.status = 'waiting' and m.closed_as is not null then m.closed_as
          else a.status
        end,
        'model', u.usage ->> 'model',
        'durationMs', a.duration))
      || case
        when c.show_usage and u.usage is not null
          then jsonb_build_object('usage', u.usage - 'model')
        else '{}'
      end
      order by i.place), '{}')
  into v_details
  from unnest(v_ids) with ordinality as i (id, place)
  cross join pgthreads.config as c
  -- The limit keeps this a look at the key for each id.
  left join lateral (
    select s.created_at, coalesce(s.message #>> '{metadata,status}', 'stopped') as closed_as
    from pgthreads.message as s
    where s.owner_user_id = p_owner_user_id
      and s.state_key = p_state_key
      and s.message_id = i.id
    limit 1
  ) as m on true
  left join pgthreads.open_answer as o
    on o.owner_user_id = p_owner_user_id and o.state_key = p_state_key and o.message_id = i.id
  left join answer as a on a.id = i.id
  left join lateral (
    select jsonb_object_agg(s.name, s.value) as usage
    from (
      select e.key as name, coalesce(
          to_jsonb(sum(case when jsonb_typeof(e.value) = 'number' then e.value::numeric end)),
          (array_agg(e.value order by g.place desc))[1]) as value
      from unnest(a.usages) with ordinality as g (usage, place)
      cross join lateral jsonb_each(g.usage) as e
      group by e.key
    ) as s
  ) as u on true;

  digest := encode(
    sha256(convert_to(concat_ws(' ', 'details', digest, v_details::text), 'UTF8')), 'hex');
  if digest is not distinct from p_known_digest then
    earlier_seq := null;
  else
    select coalesce(json_agg(
        case
          when coalesce(jsonb_typeof(s.message -> 'metadata') <> 'object', false) then s.message
          else s.message || jsonb_build_object('metadata',
            coalesce(s.message -> 'metadata', '{}') || jsonb_build_object('pgthreads', s.details))
        end
        order by s.place), '[]')
    into messages
    from (
      select e.place, e.message::jsonb as message, v_details[e.place] as details
      from json_array_elements(v_messages) with ordinality as e (message, place)
      offset 0
    ) as s;
  end if;
  return next;
end;
$$;

comment on function pgthreads.read_thread_details(text, text, int, int, text, text) is
  'A thread as read_thread returns it, with the time and the turn of each message in its metadata.';
revoke all on function pgthreads.read_thread_details(text, text, int, int, text, text) from public;
grant execute on function pgthreads.read_thread_details(text, text, int, int, text, text)
  to pgthreads_server;
