-- Titles with all words of a query, the latest first; nothing deleted and nothing of anybody else.
begin;
select plan(27);
\ir ../helpers.psql

create function test.finds(p_query text) returns text language sql stable as $$
  select coalesce(string_agg(f.state_key, ' ' order by f.place), '')
  from pgthreads.search_titles('ann', p_query)
    with ordinality as f (state_key, title, count, updated, archived, place)
$$;

create function test.entitled(p_owner text, p_key text, p_title text)
returns text language plpgsql as $$
begin
  perform pgthreads.set_tenant(p_owner);
  perform pgthreads.append_thread(p_owner, p_key, '[]');
  return (select u.title from pgthreads.update_thread(p_owner, p_key, p_title) as u);
end;
$$;

set local role tap_server;
select test.refuses(
  $$ select pgthreads.search_titles('ann', 'x') $$, 'THTEN', null, null, 'no tenant'
);
select test.entitled('ann', v.key, v.title)
from (values (1, 'trip', 'A trip to Turin'), (2, 'bread', 'Baking bread in Turin'),
  (3, 'pct', '100% of_it'), (4, 'none', ''), (5, 'gone', 'Turin is gone'),
  (6, 'old', 'Turin in winter')) as v (place, key, title)
order by v.place
\g /dev/null
select pgthreads.soft_delete_thread('ann', 'gone'),
  pgthreads.update_thread('ann', 'old', p_archived => true) \g /dev/null
select test.entitled('bob', 'secret', 'Turin for Bob') \g /dev/null
select pgthreads.set_tenant('ann') \gset

select is(test.finds(v.query), v.found, format('%L', v.query))
from (values
  (1, 'turin', 'old bread trip'), (2, 'TURIN', 'old bread trip'), (3, 'uri', 'old bread trip'),
  (4, 'turin trip', 'trip'), (5, '  trip   turin ', 'trip'), (6, E'trip\tturin\n', 'trip'),
  (7, 'turin turin', 'old bread trip'), (8, 'bread oven', ''), (9, '', ''), (10, '   ', ''),
  (11, '%', 'pct'), (12, '_', 'pct'), (13, 'o%i', ''), (14, '.*', ''), (15, '\', ''),
  (16, repeat('x', 1000), '')
) as v (place, query, found)
order by v.place;
select results_eq(
  $$ select state_key, title, message_count, archived_at is not null
    from pgthreads.search_titles('ann', 'turin', 1) $$,
  $$ values ('old', 'Turin in winter', 0, true) $$, 'the first one, and that it is archived'
);
select results_eq(
  $$ select state_key from pgthreads.search_titles('ann', 'turin', 1, 1) $$,
  array['bread'], 'the second page'
);
select is(
  test.finds(repeat('turin ', 100)), 'old bread trip', 'words are counted once'
);
select test.refuses(
  format('select pgthreads.search_titles(%L, %s)', 'ann', v.arguments), '22023', null, null,
  'refused: ' || v.arguments
)
from (values
  (1, 'null'), (2, 'repeat(''x'', 1001)'), (3, '''x'', 0'), (4, '''x'', 101'), (5, '''x'', 1, -1'),
  (6, '(select string_agg(''w'' || i, '' '') from generate_series(1, 21) as i)')
) as v (place, arguments)
order by v.place;
select pgthreads.set_tenant('bob') \gset
select is(
  (select string_agg(state_key, ' ') from pgthreads.search_titles('bob', 'turin')), 'secret',
  'another owner finds its own'
);

select * from finish();
rollback;
