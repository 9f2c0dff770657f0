-- The text of a message that search looks through: its text parts, but neither reasoning nor what
-- tools returned. It is cut, because a tsvector holds 1 MB and no append may fail because of that.
-- Words of hundreds of characters are cut into pieces, because the time of PostgreSQL's parser
-- grows with the square of the length of a run of letters and underscores; 50,000 characters took
-- it 5 s.

create or replace function pgthreads.message_text(p_message json)
returns text
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text;
begin
  -- Most messages have one part, and looking at it takes a third of what a query takes.
  if p_message #> '{parts,1}' is null then
    if p_message #>> '{parts,0,type}' = 'text' then
      v_text := left(p_message #>> '{parts,0,text}', 65536);
    end if;
  else
    v_text := (
      select left(string_agg(p.part ->> 'text', E'\n' order by p.place), 65536)
      from json_array_elements(p_message -> 'parts') with ordinality as p (part, place)
      where p.part ->> 'type' = 'text'
    );
  end if;
  -- Few texts have many underscores, so hardly any text is looked at word by word.
  if octet_length(v_text) - octet_length(replace(v_text, '_', '')) < 100 or v_text is null then
    return v_text;
  end if;
  if not exists (
    select from regexp_split_to_table(v_text, '[[:space:]]') as w (word)
      where octet_length(w.word) > 500
  ) then
    return v_text;
  end if;
  return (
    select string_agg(case
        when octet_length(w.word) <= 500 then w.word
        else (
          select string_agg(substr(w.word, g.start, 200), ' ' order by g.start)
          from generate_series(1, char_length(w.word), 200) as g (start)
        )
      end, ' ' order by w.place)
    from regexp_split_to_table(v_text, '[[:space:]]') with ordinality as w (word, place)
  );
end;
$$;

comment on function pgthreads.message_text(json) is
  'The first 65,536 characters of a UIMessage''s text parts; null if it has none.';
revoke all on function pgthreads.message_text(json) from public;
