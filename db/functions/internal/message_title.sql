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
  -- The rows are looked at in the order of the functions that return them, and only until there is
  -- a title: a message may have thousands of parts.
  return (
    select w.title
    from unnest(p_messages) as m (body)
    cross join lateral (
      select coalesce(
          (
            select btrim(left(regexp_replace(
              btrim(left(p.part ->> 'text', 400), E' \t\r\n'), '[[:space:]]+', ' ', 'g'), 80))
            from json_array_elements(m.body::json -> 'parts') as p (part)
            where p.part ->> 'type' = 'text' and left(p.part ->> 'text', 400) ~ '[^[:space:]]'
            limit 1
          ),
          (
            select btrim(left(regexp_replace(
              btrim(left(f.name, 400), E' \t\r\n'), '[[:space:]]+', ' ', 'g'), 80))
            from json_array_elements(m.body::json -> 'parts') as p (part)
            cross join lateral (
              select coalesce(
                substring(p.part ->> 'filename', '[^[:space:]].*'),
                case split_part(p.part ->> 'mediaType', '/', 1)
                  when 'image' then 'Image'
                  when 'audio' then 'Audio'
                  when 'video' then 'Video'
                  when 'text' then 'Text file'
                  else 'File'
                end)
            ) as f (name)
            where p.part ->> 'type' = 'file'
            limit 1
          )
        ) as title
      offset 0
    ) as w
    where m.body::json ->> 'role' = 'user' and w.title is not null
    limit 1
  );
end;
$$;

comment on function pgthreads.message_title(text[]) is
  'The first 80 characters of the first user text in these messages, or a name for its first file.';
revoke all on function pgthreads.message_title(text[]) from public;
