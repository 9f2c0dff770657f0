-- The owner's threads that fit a query as people type it into search engines: words, "phrases", or,
-- -not. A hit is one message, or the title, that fits the whole query. There is one row for each
-- thread, with its best hit, and the best thread comes first. This looks through the words of all
-- branches of this owner's threads, but neither through deleted threads nor through anybody
-- else's.

create or replace function pgthreads.search_threads(
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
  seq int,
  message_id text,
  role text,
  snippet text,
  rank real,
  hits int
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_config pgthreads.search_config;
  v_language regconfig;
  v_query tsquery;
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
  -- These are two steps because this function makes a sequential scan look expensive, and one with
  -- an expression in it would be compiled just in time.
  select c.* into strict v_config from pgthreads.search_config as c;
  v_language := v_config.language::regconfig;
  v_query := websearch_to_tsquery(v_language, p_query);
  return query
    select b.state_key, b.title, b.message_count, b.updated_at,
      nullif(b.seq, 0), m.message_id, m.message ->> 'role',
      ts_headline(
        v_language,
        case when b.seq = 0 then b.title else pgthreads.message_text(m.message) end,
        v_query,
        'StartSel=**, StopSel=**, MaxFragments=2, MinWords=8, MaxWords=24, FragmentDelimiter=" … "'
      ),
      b.rank, b.hits
    from (
      select t.state_key, t.title, t.message_count, t.updated_at, h.seq, h.rank, h.hits
      from (
        select distinct on (r.state_key) r.state_key, r.seq, r.rank,
          (count(*) over (partition by r.state_key))::int as hits
        from (
          select s.state_key, s.seq, ts_rank(s.tsv, v_query, 1) as rank
          from pgthreads.message_search as s
          where s.owner_user_id = p_owner_user_id and s.tsv @@ v_query
        ) as r
        order by r.state_key, r.rank desc, r.seq desc
      ) as h
      join pgthreads.thread as t
        on t.owner_user_id = p_owner_user_id
        and t.state_key = h.state_key
        and t.deleted_at is null
      order by h.rank desc, t.updated_at desc, t.state_key
      limit p_limit offset p_offset
    ) as b
    left join pgthreads.message as m
      on m.owner_user_id = p_owner_user_id
      and m.state_key = b.state_key
      and m.seq = b.seq
    order by b.rank desc, b.updated_at desc, b.state_key;
end;
$$;

comment on function pgthreads.search_threads(text, text, int, int) is
  'The owner''s threads that fit a query, best first, with a snippet of the best hit.';
revoke all on function pgthreads.search_threads(text, text, int, int) from public;
grant execute on function pgthreads.search_threads(text, text, int, int) to pgthreads_server;
