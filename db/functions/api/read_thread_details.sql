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
  v_wanted jsonb;
  v_answers jsonb;
  v_from int;
  v_to int;
  v_details text[];
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
  select coalesce(array_agg(e.message ->> 'id' order by e.place), '{}'),
    coalesce(jsonb_object_agg(e.message ->> 'id', true), '{}')
  into v_ids, v_wanted
  from json_array_elements(v_messages) with ordinality as e (message, place);

  -- Several turns make one answer if it has waited. Of these the last one says how it ended. Ids
  -- are looked up in objects: a plan that knows nothing of their number would compare each of them
  -- with each.
  select coalesce(jsonb_object_agg(a.id,
    jsonb_strip_nulls(jsonb_build_object(
      'status', a.status, 'model', u.usage ->> 'model', 'durationMs', a.duration))
    || case
      when c.show_usage and u.usage is not null
        then jsonb_build_object('usage', u.usage - 'model')
      else '{}'
    end), '{}')
  into v_answers
  from (
    select n.assistant_message_id as id,
      (array_agg(n.status order by n.started_at desc, n.turn_id))[1] as status,
      (1000 * extract(epoch from sum(n.finished_at - n.started_at)))::bigint as duration,
      array_agg(n.usage order by n.started_at, n.turn_id)
        filter (where jsonb_typeof(n.usage) = 'object') as usages
    from pgthreads.turn as n
    where n.owner_user_id = p_owner_user_id
      and n.state_key = p_state_key
      and v_wanted ? n.assistant_message_id
      and n.finished_at is not null
    group by n.assistant_message_id
  ) as a
  cross join pgthreads.config as c
  cross join lateral (
    select case
      when cardinality(a.usages) = 1 then a.usages[1]
      else (
        select jsonb_object_agg(s.name, s.value)
        from (
          select e.key as name, coalesce(
              to_jsonb(sum(case when jsonb_typeof(e.value) = 'number' then e.value::numeric end)),
              (array_agg(e.value order by g.place desc))[1]) as value
          from unnest(a.usages) with ordinality as g (usage, place)
          cross join lateral jsonb_each(g.usage) as e
          group by e.key
        ) as s
      )
    end as usage
  ) as u;

  -- The messages of the page are in one range of the thread, which may hold others. The last
  -- one may be an answer that waits, which is no message yet.
  select min(m.seq), max(m.seq) into v_from, v_to
  from unnest(v_ids[1:1] || v_ids[cardinality(v_ids) - 1:]) as i (id)
  cross join lateral (
    select s.seq
    from pgthreads.message as s
    where s.owner_user_id = p_owner_user_id
      and s.state_key = p_state_key
      and s.message_id = i.id
    limit 1
  ) as m;
  select coalesce(array_agg((
      jsonb_build_object('createdAt', to_char(
        d.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'))
      || coalesce(v_answers -> d.id, '{}')
      || case
        when d.closed_as is not null then jsonb_build_object('status', d.closed_as)
        else '{}'
      end)::text
      order by d.seq), '{}')
  into v_details
  from (
    select s.seq, s.message_id as id, s.created_at,
      -- The turn of an answer that was closed still says that it waits.
      case
        when v_answers #>> array[s.message_id, 'status'] = 'waiting'
          then coalesce(s.message #>> '{metadata,status}', 'stopped')
      end as closed_as
    from (
      -- The order keeps this a range of the primary key.
      select m.seq, m.message_id, m.created_at, m.message
      from pgthreads.message as m
      where m.owner_user_id = p_owner_user_id
        and m.state_key = p_state_key
        and m.seq between v_from and v_to
      order by m.seq
      offset 0
    ) as s
    where v_wanted ? s.message_id
    union all
    select v_to + 1, o.message_id, o.open_since, null
    from pgthreads.open_answer as o
    where o.owner_user_id = p_owner_user_id
      and o.state_key = p_state_key
      and v_wanted ? o.message_id
  ) as d;

  digest := encode(
    sha256(convert_to(concat_ws(' ', 'details', digest, v_details::text), 'UTF8')), 'hex');
  if digest is not distinct from p_known_digest then
    earlier_seq := null;
  else
    -- Most messages have no metadata, and then nothing of them is parsed.
    select coalesce(json_agg(
        case coalesce(json_typeof(e.message -> 'metadata'), 'none')
          when 'none' then (concat(
            left(e.message::text, -1), ', "metadata": {"pgthreads": ', e.details, '}}'))::json
          when 'object' then (e.message::jsonb || jsonb_build_object('metadata',
            e.message::jsonb -> 'metadata'
              || jsonb_build_object('pgthreads', e.details::jsonb)))::text::json
          else e.message
        end
        order by e.place), '[]')
    into messages
    from rows from (json_array_elements(v_messages), unnest(v_details))
      with ordinality as e (message, details, place);
  end if;
  return next;
end;
$$;

comment on function pgthreads.read_thread_details(text, text, int, int, text, text) is
  'A thread as read_thread returns it, with the time and the turn of each message in its metadata.';
revoke all on function pgthreads.read_thread_details(text, text, int, int, text, text) from public;
grant execute on function pgthreads.read_thread_details(text, text, int, int, text, text)
  to pgthreads_server;
