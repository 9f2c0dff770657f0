-- Marks the strings of UIMessages that redaction leaves as they are: ids, roles, types, states, and
-- the bodies of data URLs. p_pieces are the pieces of the messages' canonical text between quotes,
-- so that every second one is a string; p_mark stands at the end of those that are keys, and comes
-- to the end of those that stay. Only the message's own members and those of its parts count: the
-- `id` in a tool's input is text like any other.

create or replace function pgthreads.keep_strings(p_pieces text[], p_mark text)
returns text[]
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
as $$
begin
  -- The windows rely on the order of the rows; an order in them would sort the rows. They carry
  -- no pieces, which would be copied from one to the next.
  return (
    select array_agg(case
      when s.place % 2 = 0 and s.depth in (1, 3, 4) and p_pieces[s.place - 1] = ': '
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
        then p_pieces[s.place] || p_mark
      else p_pieces[s.place]
    end)
    from (
      select k.place, k.depth,
        -- The last key of the message, and of its part, before this place.
        max(k.place) filter (where k.is_key and k.depth = 1) over w as top,
        max(k.place) filter (where k.is_key and k.depth = 3) over w as member
      from (
        select p.place, p.place % 2 = 0 and right(p.piece, 1) = p_mark as is_key,
          -- How many lists and objects are open here.
          sum(case
            when p.place % 2 = 0 then 0
            else octet_length(translate(p.piece, ']}', ''))
              - octet_length(translate(p.piece, '[{', ''))
          end) over (rows unbounded preceding) as depth
        from (
          select unnest(p_pieces) as piece, generate_series(1, cardinality(p_pieces)) as place
        ) as p
      ) as k
      window w as (rows unbounded preceding)
    ) as s
  );
end;
$$;

comment on function pgthreads.keep_strings(text[], text) is
  'The pieces of the text of UIMessages with a mark on the strings that redaction does not change.';
revoke all on function pgthreads.keep_strings(text[], text) from public;
