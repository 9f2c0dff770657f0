-- Applies the redaction rules to every string in a JSON value, at any depth. The value comes and
-- goes as canonical text, because making a jsonb of many strings costs more than the rules do.
-- Nothing here is recursive, so that depth costs no stack: once escapes are replaced, every second
-- piece between quotes is a string. A string before a colon is a key, and stays as it is. Each
-- string is decoded before a rule sees it.

create or replace function pgthreads.redact_json_text(p_text text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
  v_backslash constant text := chr(64976);
  v_quote constant text := chr(64977);
  v_key constant text := chr(64978);
  v_text text := p_text;
  v_pieces text[];
  v_places int[];
  v_texts text[];
  v_redacted text[];
begin
  if not pgthreads.may_hold_secret(v_text) then
    return p_text;
  end if;
  if v_text ~ ('[' || v_backslash || '-' || v_key || ']') then
    v_text := translate(v_text, v_backslash || v_quote || v_key, repeat(chr(65533), 3));
  end if;
  v_pieces := string_to_array(
    replace(replace(replace(v_text, '\\', v_backslash), '\"', v_quote), '": ', v_key || '": '),
    '"');
  select array_agg(p.place::int),
    array_agg(case
      when strpos(p.piece, '\') > 0 or strpos(p.piece, v_backslash) > 0
        or strpos(p.piece, v_quote) > 0
      then
        ('"' || replace(replace(p.piece, v_backslash, '\\'), v_quote, '\"') || '"')::jsonb #>> '{}'
      else p.piece
    end)
  into v_places, v_texts
  -- These aggregates rely on the order of the rows; an order in one of them would sort them again.
  from unnest(v_pieces) with ordinality as p (piece, place)
  where p.place % 2 = 0 and right(p.piece, 1) <> v_key and p.piece <> '';
  if v_texts is null then
    return p_text;
  end if;
  v_redacted := pgthreads.redact_texts(v_texts);
  if v_redacted = v_texts then
    return p_text;
  end if;
  return (
    select replace(replace(replace(
        string_agg(coalesce(c.piece, p.piece), '"' order by p.place),
        v_key, ''), v_quote, '\"'), v_backslash, '\\')
    from unnest(v_pieces) with ordinality as p (piece, place)
    left join (
      select u.place, left(right(to_jsonb(u.redacted)::text, -1), -1) as piece
      from unnest(v_places, v_texts, v_redacted) as u (place, before, redacted)
      where u.redacted <> u.before
    ) as c on c.place = p.place
  );
end;
$$;

comment on function pgthreads.redact_json_text(text) is
  'The canonical text of a JSON value with redact_text applied to each of its strings.';
revoke all on function pgthreads.redact_json_text(text) from public;
