-- Applies the redaction rules to the strings in canonical JSON text, at any depth. The text comes
-- and goes as text, because making a jsonb of many strings costs more than the rules do. Nothing
-- here is recursive, so that depth costs no stack: once escapes are replaced, every second piece
-- between quotes is a string. Control characters, which JSON text cannot hold, stand for escapes,
-- and mark the strings that stay as they are. A string before a colon is a key, and stays. Each
-- other string is decoded before a rule sees it.
--
-- With p_is_messages the text is UIMessages with chr(1) between them, and kept_strings() says which
-- of their strings stay. It is asked before the rules if there are data URLs, which are long, and
-- otherwise only if a rule finds something in a string that may be one of them.

create or replace function pgthreads.redact_strings(p_text text, p_is_messages boolean)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
  v_backslash constant text := chr(2);
  v_quote constant text := chr(3);
  v_stays constant text := chr(4);
  v_pieces text[];
  v_kept int[];
  v_places int[];
  v_texts text[];
  v_place int;
begin
  v_pieces := string_to_array(
    replace(replace(replace(p_text, '\\', v_backslash), '\"', v_quote), '": ', v_stays || '": '),
    '"');
  if p_is_messages and strpos(lower(p_text collate "C"), '"url": "data:') > 0 then
    v_kept := pgthreads.kept_strings(v_pieces, v_stays);
    foreach v_place in array v_kept loop
      v_pieces[v_place] := v_pieces[v_place] || v_stays;
    end loop;
  end if;
  -- These aggregates rely on the order of the rows; an order in one of them would sort them again.
  select array_agg(p.place::int),
    array_agg(case
      when strpos(p.piece, '\') > 0 or strpos(p.piece, v_backslash) > 0
        or strpos(p.piece, v_quote) > 0
      then
        ('"' || replace(replace(p.piece, v_backslash, '\\'), v_quote, '\"') || '"')::jsonb #>> '{}'
      else p.piece
    end)
  into v_places, v_texts
  from unnest(v_pieces) with ordinality as p (piece, place)
  where p.place % 2 = 0 and p.piece <> '' and right(p.piece, 1) <> v_stays;
  if v_texts is null then
    return p_text;
  end if;
  select array_agg(u.place), array_agg(left(right(to_json(u.redacted)::text, -1), -1))
  into v_places, v_texts
  from unnest(v_places, v_texts, pgthreads.redact_texts(v_texts)) as u (place, before, redacted)
  where u.redacted <> u.before;
  if v_texts is null then
    return p_text;
  end if;
  if p_is_messages and v_kept is null then
    if exists (
      select
      from unnest(v_places) as c (place)
      where left(v_pieces[c.place - 2], -1) in ('id', 'role', 'type', 'state', 'toolCallId',
        'toolName', 'mediaType', 'sourceId')
    ) then
      v_kept := pgthreads.kept_strings(v_pieces, v_stays);
      foreach v_place in array v_kept loop
        v_pieces[v_place] := v_pieces[v_place] || v_stays;
      end loop;
    end if;
  end if;
  for v_at in 1..cardinality(v_places) loop
    if right(v_pieces[v_places[v_at]], 1) <> v_stays then
      v_pieces[v_places[v_at]] := v_texts[v_at];
    end if;
  end loop;
  return replace(replace(replace(
    array_to_string(v_pieces, '"'), v_stays, ''), v_quote, '\"'), v_backslash, '\\');
end;
$$;

comment on function pgthreads.redact_strings(text, boolean) is
  'The canonical JSON text with what redaction rules find in its strings replaced.';
revoke all on function pgthreads.redact_strings(text, boolean) from public;
