-- Which strings of UIMessages redaction leaves as they are: ids, roles, types, states, and the
-- bodies of data URLs. p_pieces are the pieces of the messages' canonical text between quotes, so
-- that every second one is a string; p_mark stands at the end of those that are keys. Only the
-- message's own members and those of its parts count: the `id` in a tool's input is text like any
-- other.

create or replace function pgthreads.kept_strings(p_pieces text[], p_mark text)
returns int[]
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
as $$
begin
  -- The windows rely on the order of the rows; an order in them would sort the rows. A row is a
  -- string with what is before it; no row has a piece in it, because windows copy their rows.
  return (
    select coalesce(array_agg(s.place), '{}')
    from (
      select k.place, k.depth, k.is_key,
        -- The last key of the message, and of its part, before this place.
        max(k.place) filter (where k.is_key and k.depth = 1) over w as top,
        max(k.place) filter (where k.is_key and k.depth = 3) over w as member
      from (
        select g.place + 1 as place, right(p_pieces[g.place + 1], 1) = p_mark as is_key,
          -- How many lists and objects are open here.
          sum(octet_length(translate(p_pieces[g.place], ']}', ''))
            - octet_length(translate(p_pieces[g.place], '[{', ''))) over (
              rows unbounded preceding) as depth
        from generate_series(1, cardinality(p_pieces) - 1, 2) as g (place)
      ) as k
      window w as (rows unbounded preceding)
    ) as s
    where not s.is_key and s.depth in (1, 3, 4) and p_pieces[s.place - 1] = ': '
      and case s.depth
        when 1 then left(p_pieces[s.place - 2], -1) in ('id', 'role')
        when 3 then p_pieces[s.top] = 'parts' || p_mark and case left(p_pieces[s.place - 2], -1)
          when 'url' then lower(left(p_pieces[s.place], 5)) = 'data:'
          else left(p_pieces[s.place - 2], -1) in (
            'id', 'type', 'state', 'toolCallId', 'toolName', 'mediaType', 'sourceId')
        end
        else p_pieces[s.top] = 'parts' || p_mark and p_pieces[s.member] = 'approval' || p_mark
          and p_pieces[s.place - 2] = 'id' || p_mark
      end
  );
end;
$$;

comment on function pgthreads.kept_strings(text[], text) is
  'The places of the strings that redaction does not change, among the pieces of UIMessages.';
revoke all on function pgthreads.kept_strings(text[], text) from public;
