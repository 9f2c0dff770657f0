-- The owner's threads whose titles have all words of a query, the one with the latest append first:
-- what can be searched where search_threads() is not installed. A word is found anywhere in a
-- title, in capitals or not. Archived threads are found, deleted ones are not.
--
-- BOUNDED_WORK: it looks at the 10,000 threads with the latest appends, and for at most 20 words.

create or replace function pgthreads.search_titles(
  p_owner_user_id text,
  p_query text,
  p_limit int default 20,
  p_offset int default 0
)
returns table (
  state_key text,
  title text,
  message_count int,
  updated_at timestamptz,
  archived_at timestamptz
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
  v_words text[];
begin
  perform pgthreads.require_tenant(p_owner_user_id);
  if p_query is null or char_length(p_query) > 1000 then
    raise exception 'not a search query' using
      errcode = 'invalid_parameter_value',
      detail = format('It has %s characters.', coalesce(char_length(p_query)::text, 'no')),
      hint = 'Pass a query of at most 1000 characters.';
  end if;
  if p_limit is null or p_limit not between 1 and 100
    or p_offset is null or p_offset not between 0 and 10000
  then
    raise exception 'not a page' using
      errcode = 'invalid_parameter_value',
      detail = format('p_limit is %s, p_offset %s.', coalesce(p_limit::text, 'null'),
        coalesce(p_offset::text, 'null')),
      hint = 'Ask for 1 to 100 threads, after at most 10000 others.';
  end if;
  select array_agg(distinct w.word) into v_words
  from string_to_table(
    regexp_replace(lower(p_query), '[[:space:]]+', ' ', 'g'), ' ') as w (word)
  where w.word <> '';
  if v_words is null then
    return;
  end if;
  if cardinality(v_words) > 20 then
    raise exception 'too many words' using
      errcode = 'invalid_parameter_value',
      detail = format('The query has %s different words.', cardinality(v_words)),
      hint = 'Search for at most 20 words.';
  end if;
  return query
    select r.state_key, r.title, r.message_count, r.updated_at, r.archived_at
    from (
      select t.state_key, t.title, t.message_count, t.updated_at, t.archived_at
      from pgthreads.thread as t
      where t.owner_user_id = p_owner_user_id and t.deleted_at is null
      order by t.recent_at desc
      limit 10000
    ) as r
    where not exists (
      select
      from unnest(v_words) as w (word)
      where position(w.word in lower(r.title)) > 0 is not true
    )
    order by r.updated_at desc, r.state_key desc
    limit p_limit offset p_offset;
end;
$$;

comment on function pgthreads.search_titles(text, text, int, int) is
  'The owner''s threads whose titles have all words of a query, the latest append first.';
revoke all on function pgthreads.search_titles(text, text, int, int) from public;
grant execute on function pgthreads.search_titles(text, text, int, int) to pgthreads_server;
