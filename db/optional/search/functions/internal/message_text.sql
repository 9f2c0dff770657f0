-- What search looks through of a message: its text parts, not reasoning and not what tools said. Cut,
-- because a tsvector holds 1 MB and an append must never fail for it.

create or replace function pgthreads.message_text(p_message json)
returns text
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select left(string_agg(p.part ->> 'text', E'\n' order by p.place), 65536)
    from json_array_elements(p_message -> 'parts') with ordinality as p (part, place)
    where p.part ->> 'type' = 'text'
  );
end;
$$;

comment on function pgthreads.message_text(json) is
  'The first 65,536 characters of a UIMessage''s text parts; null if it has none.';
revoke all on function pgthreads.message_text(json) from public;
