-- A first look for secrets that costs half of the screens: an automaton of few states. Most secrets
-- are a long run of word characters, which prose has none of, so one expression stands for them all.

set local lock_timeout = '10s';
set local statement_timeout = '10min';

alter table pgthreads.redaction_rule add column first_look text;
alter table pgthreads.config add column redaction_first_look text;

comment on column pgthreads.redaction_rule.first_look is
  'Regular expression that matches wherever the screen does, and is cheaper; rules may share one. '
  'Null is the screen itself: set it to null when you change the screen.';
comment on column pgthreads.config.redaction_first_look is
  'The first looks of all enabled rules as one expression; kept by a trigger on redaction_rule.';

update pgthreads.redaction_rule as r
set first_look = v.first_look
from (values
  ('private_key', '-----B'),
  ('private_key_cut', '-----B'),
  ('bearer_token', '[Bb][Ee][Aa][Rr]'),
  ('github_token', '[A-Za-z0-9_-]{19}'),
  ('provider_api_key', '[A-Za-z0-9_-]{19}|xox[abeoprs]-'),
  ('cloud_key_id', '[A-Za-z0-9_-]{19}'),
  ('cloud_secret', '[Kk][Ee][Yy]'),
  ('payment_card', '[0-9](?:[ -]?[0-9]){8}'),
  ('us_ssn', '[0-9](?:[ -]?[0-9]){8}')
) as v (name, first_look)
where r.name = v.name;
