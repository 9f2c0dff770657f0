-- A title for a thread that has none: the beginning of its first user message, which is redacted
-- already. The title is the message's first text. If the message has only files, it is the name of
-- the first file, or a word for the kind of file if that has no name. So a thread has a title from
-- its first user message on, and keeps it.

create or replace function pgthreads.message_title(p_messages text[])
returns text
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  -- This is PL/pgSQL because that keeps its plans. A function in SQL would be planned for each new
  -- thread. It reads json, which is scanned, because making a jsonb of many lists takes a hundred
  -- times their memory.
  return (
    select btrim(left(t.text, 80))
    from unnest(p_messages) with ordinality as m (body, place)
    cross join json_array_elements(m.body::json -> 'parts') with ordinality as p (part, place)
    cross join lateral (
      select case p.part ->> 'type'
        when 'text' then p.part ->> 'text'
        when 'file' then coalesce(
          substring(p.part ->> 'filename', '[^[:space:]].*'),
          case split_part(p.part ->> 'mediaType', '/', 1)
            when 'image' then 'Image'
            when 'audio' then 'Audio'
            when 'video' then 'Video'
            when 'text' then 'Text file'
            else 'File'
          end)
      end
    ) as w (words)
    cross join regexp_replace(
      btrim(left(w.words, 400), E' \t\r\n'), '[[:space:]]+', ' ', 'g') as t (text)
    where m.body::json ->> 'role' = 'user' and t.text ~ '[^[:space:]]'
    order by m.place, p.part ->> 'type' = 'file', p.place
    limit 1
  );
end;
$$;

comment on function pgthreads.message_title(text[]) is
  'The first 80 characters of the first user text in these messages, or a name for its first file.';
revoke all on function pgthreads.message_title(text[]) from public;
