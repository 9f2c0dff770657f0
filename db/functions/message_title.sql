-- A title for a thread that has none: the start of its first user message, which is redacted already.

create or replace function pgthreads.message_title(p_messages text[])
returns text
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  -- In PL/pgSQL, which keeps its plans: a function in SQL would be planned for each new thread.
  return (
    select nullif(btrim(left(t.text, 80)), '')
    from unnest(p_messages) with ordinality as m (body, place)
    cross join jsonb_array_elements(m.body::jsonb -> 'parts') with ordinality as p (part, place)
    cross join regexp_replace(btrim(left(p.part ->> 'text', 400)), '\s+', ' ', 'g') as t (text)
    where m.body::jsonb ->> 'role' = 'user' and p.part ->> 'type' = 'text'
    order by m.place, p.place
    limit 1
  );
end;
$$;

comment on function pgthreads.message_title(text[]) is
  'The first 80 characters of the first user text in these messages; null if there is none.';
revoke all on function pgthreads.message_title(text[]) from public;
