-- Turns JSON text into jsonb, even where jsonb would refuse it: U+0000 and lone surrogates, which
-- people, models and tools do produce, become U+FFFD. JSON that comes from outside goes through
-- this function, because the type jsonb refuses such text before any other function could see it.
--
-- JSON of more than 100,000 lists and objects is refused before it is parsed: PostgreSQL takes 260
-- bytes for each while it makes a jsonb, which is 130 MB for a megabyte of brackets, and as much
-- again wherever a value is built that contains them.
--
-- It only makes replacements in the whole text, so that a megabyte of escapes costs as little as a
-- megabyte of words. Meanwhile three control characters, which JSON text cannot hold, stand for
-- escaped backslashes and for the halves of surrogate pairs; so a `u` behind an escaped backslash
-- is not taken for an escape.

create or replace function pgthreads.clean_json(p_text text)
returns jsonb
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_most constant int := 100000;
  v_text text;
begin
  if octet_length(p_text) > v_most
    and octet_length(p_text) * 2 - octet_length(replace(p_text, '[', ''))
      - octet_length(replace(p_text, '{', '')) > v_most
  then
    -- Brackets and braces in strings do not count.
    v_text := (
      select string_agg(s.piece, '' order by s.place)
      from unnest(string_to_array(replace(replace(p_text, E'\\\\', ''), E'\\"', ''), '"'))
        with ordinality as s (piece, place)
      where s.place % 2 = 1
    );
    if octet_length(v_text) * 2 - octet_length(replace(v_text, '[', ''))
      - octet_length(replace(v_text, '{', '')) > v_most
    then
      raise exception 'the JSON has too many lists and objects' using
        errcode = 'THMAX',
        detail = format('More than %s are not parsed.', v_most),
        hint = 'Pass such a value as a string that holds its JSON.';
    end if;
  end if;
  -- This is PL/pgSQL because that keeps its plans. A function in SQL would be planned for every
  -- answer.
  if strpos(p_text, E'\\u') = 0 then
    return p_text::jsonb;
  end if;
  if p_text !~* E'\\\\u(0000|d[89a-f])' or p_text ~ E'[\x01-\x03]' then
    return p_text::jsonb;
  end if;
  v_text := replace(replace(p_text, E'\\\\', E'\x01'), E'\\u0000', E'\\ufffd');
  -- Lone halves are rare, and one expression that finds none is cheap.
  if v_text !~ (E'^(?:[^\\\\]|\\\\[^u]|\\\\u[^dD]|\\\\u[dD][0-7]'
    || E'|\\\\u[dD][89abAB][0-9a-fA-F][0-9a-fA-F]\\\\u[dD][c-fC-F])*$')
  then
    v_text := regexp_replace(v_text,
      E'\\\\u([dD][89abAB][0-9a-fA-F][0-9a-fA-F])\\\\u([dD][c-fC-F][0-9a-fA-F][0-9a-fA-F])',
      E'\x02\\1\x03\\2', 'g');
    v_text := regexp_replace(
      v_text, E'\\\\u[dD][89a-fA-F][0-9a-fA-F][0-9a-fA-F]', E'\\\\ufffd', 'g');
    v_text := replace(replace(v_text, E'\x02', E'\\u'), E'\x03', E'\\u');
  end if;
  return replace(v_text, E'\x01', E'\\\\')::jsonb;
end;
$$;

comment on function pgthreads.clean_json(text) is
  'Turns JSON text into jsonb: U+FFFD for U+0000 and lone surrogates, 100,000 lists at most.';
revoke all on function pgthreads.clean_json(text) from public;
grant execute on function pgthreads.clean_json(text) to pgthreads_server;
