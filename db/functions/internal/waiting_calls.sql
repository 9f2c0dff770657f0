-- The calls of an answer that wait: for an approval, or for the client, in the order of their
-- parts. A call that its provider runs waits for no client. Raises THMSG where nothing waits, and
-- where what waits could not be told apart, or a call neither waits nor has ended: such an answer
-- could never become complete.

create or replace function pgthreads.waiting_calls(p_message jsonb)
returns jsonb
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_fault text;
  v_calls jsonb;
begin
  with call as materialized (
    select e.place, e.part ->> 'toolCallId' as id, e.part ->> 'state' as state,
      case
        when e.part ->> 'type' = 'dynamic-tool' then e.part ->> 'toolName'
        else substr(e.part ->> 'type', 6)
      end as tool_name,
      case
        when e.part ->> 'state' = 'approval-requested' then 'approval'
        when e.part ->> 'state' = 'input-available'
          and e.part -> 'providerExecuted' is distinct from 'true' then 'client'
      end as kind,
      e.part -> 'providerExecuted' is not distinct from 'true' as by_provider,
      coalesce(e.part -> 'input', 'null') as input,
      count(*) over (partition by e.part ->> 'toolCallId') as times
    from jsonb_array_elements(p_message -> 'parts') with ordinality as e (part, place)
    where e.part ->> 'type' = 'dynamic-tool' or starts_with(e.part ->> 'type', 'tool-')
  )
  select
    case
      when p_message ->> 'role' <> 'assistant' then 'Its role is not assistant.'
      when count(c.kind) = 0 then 'No call in it waits.'
      else (
        select case
          when f.kind is null
            then format('parts[%s] is %s: it neither waits nor has ended.', f.place - 1, f.state)
          when f.times > 1 then format('parts[%s] waits, and its id is that of another call.',
            f.place - 1)
          else format('parts[%s] waits, and its id has more than 256 characters.', f.place - 1)
        end
        from call as f
        where f.kind is null and not f.by_provider
            and f.state in ('input-streaming', 'approval-responded')
          or f.kind is not null and (f.times > 1 or char_length(f.id) > 256)
        order by f.place
        limit 1
      )
    end,
    jsonb_agg(
      jsonb_build_object(
        'toolCallId', c.id,
        'toolName', c.tool_name,
        'kind', c.kind,
        'inputSha256', encode(sha256(convert_to(c.input::text, 'UTF8')), 'hex'))
      order by c.place) filter (where c.kind is not null)
  into strict v_fault, v_calls
  from call as c;
  if v_fault is not null then
    raise exception 'not an answer that waits' using
      errcode = 'THMSG',
      detail = v_fault,
      hint = 'A call waits in state approval-requested or input-available; all others have ended.';
  end if;
  return v_calls;
end;
$$;

comment on function pgthreads.waiting_calls(jsonb) is
  'The calls of an answer that wait for an approval or for the client; raises THMSG if none does.';
revoke all on function pgthreads.waiting_calls(jsonb) from public;
