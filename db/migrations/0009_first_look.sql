-- A first look for secrets that costs half of the screens: an automaton of few states. Most secrets
-- are a short name, a dash and a long run of word characters, which prose has none of, so one
-- expression stands for them all. Ids of tool calls are such runs with other names.

set local lock_timeout = '10s';
set local statement_timeout = '10min';

alter table pgthreads.redaction_rule add column first_look text;
alter table pgthreads.config add column redaction_first_look text;

comment on column pgthreads.redaction_rule.first_look is
  'Regular expression that matches wherever the screen does, and is cheaper; rules may share one. '
  'Null is the screen itself: set it to null when you change the screen.';
comment on column pgthreads.config.redaction_first_look is
  'The first looks of all enabled rules as one expression; kept by a trigger on redaction_rule.';

with token as (
  select '(?:h[pousr]|at|k|ve|st|hf|ai|x|8)[_-][A-Za-z0-9_-]{15}|xox[abeoprs]-|AIza|A[KSBC][IC]A'
    as first_look
)
update pgthreads.redaction_rule as r
set first_look = v.first_look
from token as t, lateral (values
  ('private_key', '-----B'),
  ('private_key_cut', '-----B'),
  ('bearer_token', '[Bb][Ee][Aa][Rr]'),
  ('github_token', t.first_look),
  ('provider_api_key', t.first_look),
  ('cloud_key_id', t.first_look),
  ('cloud_secret', '[Kk][Ee][Yy]'),
  ('payment_card', '[0-9](?:[ -]?[0-9]){8}'),
  ('us_ssn', '[0-9](?:[ -]?[0-9]){8}')
) as v (name, first_look)
where r.name = v.name;
