-- Makes messages ready to be stored: checks, redacts and prints them, each id once. append_thread
-- and complete_turn call this: UIMESSAGE_IS_CONTRACT and REDACT_BEFORE_PERSIST. p_messages is an
-- array. It is called before a lock is taken, because its cost grows with the messages.
--
-- One look finds out whether all messages are plain, clean and distinct, which they nearly always
-- are. If they are not clean they are redacted. If that look is not sure of the rest, they go
-- through prepare_messages(), which knows all the rules and raises an error for a message that
-- cannot be stored.

create or replace function pgthreads.ready_messages(
  p_messages jsonb,
  out max_messages int,
  out ids text[],
  out bodies text[]
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_plain boolean;
  v_clean boolean;
begin
  -- A message is looked at before it is printed: some numbers would make a very long text. The
  -- factor is that of is_short(), so that what is printed here is not too long.
  select c.max_messages, m.ids, m.texts,
    m.count = jsonb_array_length(p_messages)
      and m.count = (select count(distinct i.id) from unnest(m.ids) as i (id))
      and m.longest <= c.max_message_bytes,
    case
      when m.look ~ coalesce(r.first_look, '') then m.look !~ coalesce(r.screen, '')
      else true
    end
      and case
        when octet_length(m.look) > char_length(m.look) then m.look !~ coalesce(r.folded, '')
        else true
      end
  into max_messages, ids, bodies, v_plain, v_clean
  from pgthreads.config as c
  left join pgthreads.redaction_screen as r on true
  cross join lateral (
    -- array_agg relies on the subquery's order; a distinct aggregate here would sort it again.
    select array_agg(e.id) as ids, array_agg(e.text) as texts, count(e.text) as count,
      max(octet_length(e.text)) as longest,
      -- This leaves out the id, which may well look like a secret and stays as it is.
      string_agg(case
        when starts_with(e.text, '{"id": "' || e.id) then right(e.text, -8 - char_length(e.id))
        else e.text
      end, E'\n') as look
    from (
      select a.value ->> 'id' as id, case
        when pg_column_size(a.value) <= c.max_message_bytes / 36
          and (a.value -> 'metadata' ? 'pgthreads') is not true
          and pgthreads.is_plain_message(a.value) then a.value::text
      end as text
      from jsonb_array_elements(
        case when jsonb_array_length(p_messages) <= c.max_messages then p_messages else '[]' end
      ) with ordinality as a (value, place)
      order by a.place
    ) as e
  ) as m;
  if v_plain and not v_clean then
    bodies := pgthreads.redact_batches(ids, bodies);
  elsif v_plain is not true then
    select coalesce(array_agg(p.message_id order by p.place), '{}'),
      coalesce(array_agg(p.body order by p.place), '{}')
    into ids, bodies
    from pgthreads.prepare_messages(p_messages) with ordinality as p (message_id, body, place);
  end if;
end;
$$;

comment on function pgthreads.ready_messages(jsonb) is
  'The ids and texts of messages as they will be stored, and how many a thread may hold.';
revoke all on function pgthreads.ready_messages(jsonb) from public;
