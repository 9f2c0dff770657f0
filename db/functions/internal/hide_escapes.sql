-- A text of the same length in which control characters replace the letters of JSON's escapes, so
-- that a word after an escape has a boundary before it. redact_texts() can restore the letters.

create or replace function pgthreads.hide_escapes(p_text text)
returns text
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on
as $$
declare
  v_text text := p_text;
begin
  if strpos(v_text, '\u') > 0 then
    v_text := regexp_replace(v_text, '\\u[0-9a-fA-F]{4}', repeat(chr(7), 6), 'g');
  end if;
  return replace(replace(replace(replace(replace(v_text, '\b', '\' || chr(2)), '\f', '\' || chr(3)),
    '\n', '\' || chr(4)), '\r', '\' || chr(5)), '\t', '\' || chr(6));
end;
$$;

comment on function pgthreads.hide_escapes(text) is
  'The text, in the same length, with control characters for the letters of JSON''s escapes.';
revoke all on function pgthreads.hide_escapes(text) from public;
