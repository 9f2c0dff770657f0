-- Strings at any depth are redacted; keys and everything else stay.
begin;
select plan(4);
\ir ../helpers.psql

select is(
  pgthreads.redact_json(replace(v.value, '#', 'sk-' || repeat('a1', 16))::jsonb),
  replace(v.expected, '#', 'sk-' || repeat('a1', 16))::jsonb, v.value
)
from (values
  ('{"a": [1, {"b": "#"}]}', '{"a": [1, {"b": "[REDACTED:provider_api_key]"}]}'),
  ('{"#": "#"}', '{"#": "[REDACTED:provider_api_key]"}'),
  ('"\"#\""', '"\"[REDACTED:provider_api_key]\""'), ('{"a": "plain"}', '{"a": "plain"}')
) as v (value, expected);

select * from finish();
rollback;
