-- It does the same as mergeObjects of the AI SDK.
begin;
\ir ../empty.psql
select plan(9);

select is(
  pgthreads.merge_json(v.value::jsonb, v.changes::jsonb), v.expected::jsonb,
  format('%s, %s', v.value, v.changes)
)
from (values
  (null, '{"a": 1}', '{"a": 1}'),
  ('{"a": 1}', null, '{"a": 1}'),
  ('{}', '{}', '{}'),
  ('{"a": 1, "b": 2}', '{"b": 3, "c": 4}', '{"a": 1, "b": 3, "c": 4}'),
  ('{"a": {"b": 1, "c": {"d": 2}}}', '{"a": {"c": {"e": 3}}}',
    '{"a": {"b": 1, "c": {"d": 2, "e": 3}}}'),
  ('{"a": {"b": 1}}', '{"a": null}', '{"a": null}'),
  ('{"a": [1, 2]}', '{"a": [3]}', '{"a": [3]}'),
  ('{"a": 1}', '{"a": {"b": 1}}', '{"a": {"b": 1}}'),
  ('"text"', '{"a": 1}', '{"a": 1}')
) as v (value, changes, expected);

select * from finish();
rollback;
