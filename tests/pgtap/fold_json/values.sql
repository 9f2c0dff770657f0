-- It is the same as merge_json() from the first to the last value.
begin;
\ir ../empty.psql
select plan(11);

select is(pgthreads.fold_json(v.values), v.folded, v.name)
from (values
  ('nothing', array[]::jsonb[], null::jsonb),
  ('null', null, null),
  ('one', array['{"a": 1}']::jsonb[], '{"a": 1}'),
  ('two', array['{"a": 1, "b": 2}', '{"b": 3, "c": 4}']::jsonb[], '{"a": 1, "b": 3, "c": 4}'),
  ('objects in objects', array['{"a": {"b": {"c": 1}}}', '{"a": {"b": {"d": 2}}}',
    '{"a": {"e": 3}}']::jsonb[],
    '{"a": {"b": {"c": 1, "d": 2}, "e": 3}}'),
  ('an array replaces', array['{"a": {"b": 1}}', '{"a": [2]}', '{"a": {"c": 3}}']::jsonb[],
    '{"a": {"c": 3}}'),
  ('so does null', array['{"a": {"b": 1}}', '{"a": null}']::jsonb[], '{"a": null}'),
  ('no object at the end', array['{"a": 1}', '2']::jsonb[], '2'),
  ('no object between', array['{"a": 1}', '2', '{}', '{"b": 1}']::jsonb[], '{"b": 1}'),
  ('empty objects', array['{}', '{}']::jsonb[], '{}')
) as v (name, values, folded);
select is(
  pgthreads.fold_json(array_agg(jsonb_build_object('k' || n % 7, jsonb_build_object(n % 5, n))
    order by n)),
  (
    with recursive merged (n, value) as (
      select 0, '{}'::jsonb
      union all
      select m.n + 1, pgthreads.merge_json(
        m.value, jsonb_build_object('k' || (m.n + 1) % 7,
          jsonb_build_object((m.n + 1) % 5, m.n + 1)))
      from merged as m
      where m.n < 200
    )
    select value from merged order by n desc limit 1
  ),
  'as one after the other'
)
from generate_series(1, 200) as n;

select * from finish();
rollback;
