-- The UIMessage that a client of the AI SDK has made of a stream so far, closed as the answer of a
-- turn that was abandoned: tool calls without a result become output-error, those that nobody has
-- approved become output-denied, and metadata.status is "abandoned". What a tool has shown of its
-- progress is no result. Of a call whose arguments are incomplete, their text becomes the input.
-- Null if the stream has nothing but steps. The message has no id if the stream did not name one.
--
-- p_frames are the frames of the UI message stream from its start. Each is
-- `data: <UIMessageChunk>` and a blank line. What follows the last blank line is left out, and so
-- are comments, [DONE], chunks that are no part of a message, and everything after an error.
-- BOUNDED_WORK: the chunks are handled as sets of rows and not one by one in a loop, so that the
-- time grows no faster than the stream.
--
-- This runs as its owner, so that nobody needs a grant on the functions that it calls.

create or replace function pgthreads.assemble_message(p_frames text)
returns jsonb
language plpgsql
immutable
parallel safe
security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $$
declare
  v_id text;
  v_parts jsonb;
  v_changes jsonb[];
begin
  with frame as materialized (
    select f.text, f.place, count(*) over () as places
    from string_to_table(p_frames, E'\n\n') with ordinality as f (text, place)
  ),
  parsed as materialized (
    -- Nearly all frames are short and have nothing to clean.
    select f.place, case
        when strpos(f.text, E'\\u') = 0 and octet_length(f.text) < 100000
          then substr(f.text, 6)::jsonb
        else pgthreads.clean_json(substr(f.text, 6))
      end as body
    from frame as f
    where f.place < f.places
      and (starts_with(f.text, 'data: {') or starts_with(f.text, 'data:{'))
  ),
  chunk as materialized (
    select p.place, p.body, p.body ->> 'type' as type
    from parsed as p
    -- The first error is looked up once, not once for each chunk.
    cross join (
      select min(e.place) as place from parsed as e where e.body ->> 'type' = 'error'
    ) as failed
    where failed.place is null or p.place < failed.place
  ),
  -- A delta belongs to the latest part of its kind that began with its id.
  piece as (
    select c.place, c.body, split_part(c.type, '-', 1) as kind, c.body ->> 'id' as id,
      count(*) filter (where c.type in ('text-start', 'reasoning-start')) over (
        partition by split_part(c.type, '-', 1), c.body ->> 'id'
        order by c.place
      ) as number
    from chunk as c
    where c.type in (
      'text-start', 'text-delta', 'text-end', 'reasoning-start', 'reasoning-delta', 'reasoning-end'
    )
  ),
  -- Of each call, the last chunk with its input, the text of its arguments so far, and the last
  -- chunk with its result. A result whose call never began does not count.
  called as (
    select min(c.place) as place, c.body ->> 'toolCallId' as id,
      (array_agg(c.body order by c.place) filter (
        where c.type in ('tool-input-start', 'tool-input-available', 'tool-input-error')
      ))[1] as first,
      string_agg(c.body ->> 'inputTextDelta', '' order by c.place) as typed,
      (array_agg(c.body order by c.place desc)
        filter (where c.type in ('tool-input-available', 'tool-input-error')))[1] as input,
      (array_agg(c.body order by c.place desc) filter (
        where c.type in ('tool-input-error', 'tool-output-error')
          or (c.type = 'tool-output-available'
            and c.body -> 'preliminary' is distinct from 'true')
      ))[1] as result,
      (array_agg(c.body ->> 'approvalId' order by c.place desc)
        filter (where c.type = 'tool-approval-request'))[1] as approval
    from chunk as c
    where c.type in (
      'tool-input-start', 'tool-input-delta', 'tool-input-available', 'tool-input-error',
      'tool-output-available', 'tool-output-error', 'tool-approval-request'
    )
    group by c.body ->> 'toolCallId'
  ),
  -- Data parts with an id are sent again to change their data.
  datum as (
    select min(c.place) as place, (array_agg(c.body order by c.place desc))[1] as body
    from chunk as c
    where c.type like 'data-_%' and c.body -> 'transient' is distinct from 'true'
    group by c.type, coalesce(c.body ->> 'id', c.place::text), c.body ? 'id'
  ),
  part as (
    select c.place, '{"type": "step-start"}'::jsonb as body
    from chunk as c
    where c.type = 'start-step'
    union all
    select c.place, c.body
    from chunk as c
    where c.type in ('file', 'source-url', 'source-document')
    union all
    select d.place, d.body - 'transient'
    from datum as d
    union all
    select min(e.place),
      jsonb_build_object(
        'type', e.kind, 'text', coalesce(string_agg(e.body ->> 'delta', '' order by e.place), '')
      )
      || case when e.kind = 'reasoning' then jsonb_build_object('id', e.id) else '{}' end
      || coalesce((
        array_agg(jsonb_build_object('providerMetadata', e.body -> 'providerMetadata')
          order by e.place desc) filter (where e.body ? 'providerMetadata')
      )[1], '{}')
    from piece as e
    where e.number > 0
    group by e.kind, e.id, e.number
    union all
    select t.place,
      case
        when t.first -> 'dynamic' = 'true'
          then jsonb_build_object('type', 'dynamic-tool', 'toolName', t.first -> 'toolName')
        else jsonb_build_object('type', 'tool-' || (t.first ->> 'toolName'))
      end
      || jsonb_build_object('toolCallId', t.id)
      || case
        when t.input ? 'input' then jsonb_build_object('input', t.input -> 'input')
        when t.input is null and t.typed <> '' then jsonb_build_object('input', t.typed)
        else '{}'
      end
      || case
        when t.input ? 'providerMetadata'
          then jsonb_build_object('callProviderMetadata', t.input -> 'providerMetadata')
        else '{}'
      end
      || case
        when coalesce(t.input, t.first) ? 'providerExecuted' then jsonb_build_object(
          'providerExecuted', coalesce(t.input, t.first) -> 'providerExecuted')
        else '{}'
      end
      || case
        when t.result ->> 'type' = 'tool-output-available' then jsonb_build_object(
          'state', 'output-available', 'output', t.result -> 'output')
        when t.result is not null
          then jsonb_build_object('state', 'output-error', 'errorText', t.result -> 'errorText')
        when t.approval is not null then jsonb_build_object(
          'state', 'output-denied',
          'approval', jsonb_build_object('id', t.approval, 'approved', false))
        else jsonb_build_object(
          'state', 'output-error',
          'errorText', 'The answer was abandoned before the tool returned a result.')
      end
    from called as t
    where t.first is not null
  )
  select
    (
      select c.body ->> 'messageId'
      from chunk as c
      where c.type = 'start' and c.body ? 'messageId'
      order by c.place desc
      limit 1
    ),
    (
      select to_jsonb(array_agg(p.body order by p.place))
      from part as p
      having bool_or(p.body ->> 'type' <> 'step-start')
    ),
    (
      select array_agg(c.body -> 'messageMetadata' order by c.place)
      from chunk as c
      where c.type in ('start', 'message-metadata', 'finish') and c.body ? 'messageMetadata'
    )
  into strict v_id, v_parts, v_changes;

  if v_parts is null then
    return null;
  end if;
  return jsonb_build_object(
      'role', 'assistant',
      'parts', v_parts,
      'metadata', pgthreads.fold_json(v_changes || '{"status": "abandoned"}'::jsonb))
    || case when v_id is null then '{}' else jsonb_build_object('id', v_id) end;
end;
$$;

comment on function pgthreads.assemble_message(text) is
  'The UIMessage that a client has made of a UI message stream so far, closed as an abandoned one.';
revoke all on function pgthreads.assemble_message(text) from public;
grant execute on function pgthreads.assemble_message(text) to pgthreads_server;
