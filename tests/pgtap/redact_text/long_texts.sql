-- No text of 1 MB keeps a rule busy for long. Texts that could take quadratic time are tried,
-- within a time that only a quadratic search exceeds.
begin;
select plan(25);
\ir ../helpers.psql

update pgthreads.redaction_rule set enabled = true;
set local role tap_server;
set local statement_timeout = '60s';
select lives_ok(
  format('select pgthreads.redact_text(left(repeat(%L, %s), 1000000) || %L)', v.unit,
    1000000 / char_length(v.unit) + 1, v.tail),
  format('1 MB of %s, then %s', v.unit, v.tail)
)
from (values
  ('-----BEGIN PRIVATE KEY-----', ''), ('-----BEGIN PRIVATE KEY-----.',
    '-----END PRIVATE KEY-----'),
  ('-----BEGIN AAAA', 'PRIVATE KEY-----'), ('-eyJaaaaaaaaa', '.eyJaaaaaaaaaa.'),
  ('-eyJaaaaaaaaa.eyJ', ''), ('bearer ', ''), (' ', 'bearer'), ('sk-', ''), ('ghp_', ''),
  ('AKIA', ''), ('secret_access_key ', '='), ('a', '://b:c@'), ('a://b:', ''), (':', '@'),
  ('4', ''), ('4111 ', ''), ('4111-1111-1111-1112-', ''), ('123-45-6789-', ''), ('DE12 ', ''),
  ('a@a.', ''), ('a', '@x.com'), ('1@1.1.1.', ''), ('+1(', ''), ('1.', ''), ('\u', '')
) as v (unit, tail);

select * from finish();
rollback;
