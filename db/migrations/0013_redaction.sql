-- Rules that can be checked: each enabled rule has an example, and the screens move to a table of their
-- own that only a trigger writes. config.redaction_screen and config.redaction_first_look are read by
-- nothing any more; they stay for calls of the release before, which may be under way, and match all.
--
-- Rules that nobody has changed get the patterns of this release; what an operator has changed or added
-- stays as it is. A rule that was switched off stays off.

-- squawk-ignore-file ban-drop-constraint, constraint-missing-not-valid

set local lock_timeout = '10s';
set local statement_timeout = '10min';

alter table pgthreads.redaction_rule add column example text;
alter table pgthreads.redaction_rule add column min_length int not null default 0;
alter table pgthreads.redaction_rule add column needles text[];
alter table pgthreads.redaction_rule drop constraint redaction_rule_verifier_check;
alter table pgthreads.redaction_rule
  add constraint redaction_rule_verifier_check
  check (verifier in ('luhn', 'card', 'short_card', 'iban', 'token')) not valid;
alter table pgthreads.redaction_rule validate constraint redaction_rule_verifier_check;

comment on column pgthreads.redaction_rule.example is
  'A text that the rule takes something out of. The trigger tries pattern, verifier, screen and first '
  'look on it, so that a rule that cannot work is refused. Each enabled rule has one.';
comment on column pgthreads.redaction_rule.min_length is
  'Characters that the pattern has to find, without the groups that the replacement puts back. Cheaper '
  'than a counted repetition in the pattern, which costs a state for each of its characters.';
comment on column pgthreads.redaction_rule.needles is
  'Texts in lower case: whatever the pattern finds has one of them in it, in either case. A rule whose '
  'needles are all missing is not tried, which keeps a session''s few compiled expressions for those '
  'that are. Null: the rule is always tried.';
comment on column pgthreads.redaction_rule.pattern is
  'Regular expression over one decoded string, never over serialised JSON. The string is folded '
  'before: format characters are out, other forms of ASCII characters are plain, and the letter of an '
  'escape such as \n hides no word boundary, unless the pattern has a backslash to match itself.';
comment on column pgthreads.redaction_rule.verifier is
  'A check that no regular expression can make: luhn (any digits), card (issuers, lengths, grouping '
  'and Luhn), short_card (what card leaves out, for numbers next to a name), iban (length of the '
  'country and check digits), token (looks random). What the pattern finds, without the groups that '
  'the replacement puts back, is replaced only if it passes.';
comment on column pgthreads.config.redaction_screen is
  'Not read any more: pgthreads.redaction_screen has it.';
comment on column pgthreads.config.redaction_first_look is
  'Not read any more: pgthreads.redaction_screen has it.';

create table pgthreads.redaction_screen (
  only_row boolean primary key default true
    constraint redaction_screen_only_row_check check (only_row),
  first_look text not null,
  screen text not null,
  folded text not null
);

comment on table pgthreads.redaction_screen is
  'The screens of all enabled rules, joined. One row, which a trigger of redaction_rule keeps and '
  'nobody edits; redaction_faults() says whether it is right.';
comment on column pgthreads.redaction_screen.only_row is 'Keeps this table at one row.';
comment on column pgthreads.redaction_screen.first_look is
  'The first looks of all enabled rules as one expression.';
comment on column pgthreads.redaction_screen.screen is
  'The screens of all enabled rules as one expression.';
comment on column pgthreads.redaction_screen.folded is
  'Finds what fold_text() may make a secret of, in texts that are not all ASCII.';

-- <start> is the start of a word. Repetitions are loops, and min_length says how long: each state that
-- a match visits costs as much as the scan of many characters.
with look (any_secret) as (
  -- One first look for all rules that ship: an automaton of few states, which are entered by signs that
  -- prose seldom has.
  values ('[ktrsixXmpo][_-][A-Za-z0-9_-]{15}|[acf8]_[A-Za-z0-9+/]{15}|hu_|[9Gbsr]\.[A-Za-z0-9_-]{15}'
    || '|-----B|yJ|[Ss][Ii][Cc] +[A-Za-z0-9+/]{12}'
    || '|[Rr][Ee][Rr][\s\\][\s\\nrtu0-9a-f]*[A-Za-z0-9._~+/=-]{16}'
    || '|Iz|A[A-Z]{2}A|SK[0-9a-f]|Q~|//0|:AA|xox|\.sl'
    || '|=(?:\\"|['' ])*[A-Za-z0-9._~+/=%-]{16}|:(?:\\"|['' ])+[A-Za-z0-9._~+/=%-]{16}'
    || '|:[A-Za-z0-9._~+%-][A-Za-z0-9._~+/=%-]{15}|[Dd]=|://[^/@\s"]*:'
    || '|[2-6][0-9]{3}(?:[0-9]{8}|[ .-][0-9]{3})|[0-9]-[0-9]{2}-[0-9]{3}'
    || '|[A-Z][0-9]{2}[ -]?[A-Z0-9]{4}[ -]?[A-Z0-9]{4}[ -]?[A-Z0-9]{3}'
    || '|[0-9]{2}[ -]?[a-z0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{3}')
),
rule
  (ordering, name, category, pattern, min_length, replacement, screen, verifier, example, shipped)
as (
  values
  (
    10, 'private_key', 'PEM private keys',
    '-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:[^-\uFDD0]|-{1,4}[^-\uFDD0])*'
      || '-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----',
    0, '[REDACTED:private_key]', '-----BEGIN', null,
    '-----BEGIN ' || E'PRIVATE KEY-----\nMIIE\n-----END ' || 'PRIVATE KEY-----',
    '38c0facc0495444a15e01a78f370d8c8'
  ),
  (
    11, 'private_key_cut', 'PEM private keys without their end',
    '-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=\s\\>]|<br ?/?>'
      || '|(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset):[^\n\\<\uFDD0]*)*',
    0, '[REDACTED:private_key]', '-----BEGIN', null,
    '-----BEGIN ' || E'RSA PRIVATE KEY-----\nMIIE',
    'df9bdf0513e99e473ef2d5b7ad870568'
  ),
  (
    20, 'jwt', 'JSON Web Tokens',
    '<start>eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*',
    24, '[REDACTED:jwt]', 'eyJ', null,
    'eyJ' || 'hbGciOiJub25lIn0.eyJ' || 'zdWIiOiIxMjMifQ.',
    '045962916efa825a6e0d82bb9e12d968'
  ),
  (
    30, 'bearer_token', 'Bearer tokens',
    '(?i)<start>(bearer\s+)[a-z0-9._~+/=-]+',
    16, '\1[REDACTED:bearer_token]', '[Bb][Ee][Aa][Rr][Ee][Rr]', 'token',
    'Authorization: Bearer ' || repeat('aB3.', 8),
    'ed8d9f7fd42ce27b7b32b1ed2bbfc968'
  ),
  (
    31, 'basic_auth', 'Basic authentication',
    '(?i)<start>(basic +)[a-z0-9+/]+={0,2}',
    12, '\1[REDACTED:basic_auth]', '[Bb][Aa][Ss][Ii][Cc] +[A-Za-z0-9+/]{12}', 'token',
    'Authorization: Basic ' || repeat('dXN1', 6) || '==',
    null
  ),
  (
    40, 'github_token', 'Tokens of GitHub',
    '<start>gh[pousr]_[A-Za-z0-9]+',
    40, '[REDACTED:github_token]', 'gh[pousr]_', null,
    'ghp_' || repeat('a1', 18),
    '8ea89dfee9bd229a64edc41d131a56c6'
  ),
  (
    41, 'github_pat', 'Fine-grained tokens of GitHub',
    '<start>github_pat_[A-Za-z0-9_]+',
    33, '[REDACTED:github_token]', 'github_pat_', null,
    'github_' || 'pat_' || repeat('a1', 18),
    null
  ),
  (
    42, 'gitlab_token', 'Tokens of GitLab',
    '<start>gl(?:pat|oas|dt|rt|rtr|cbt|ptt|ft|imt|agent|wt|soat|ffct)-[A-Za-z0-9_-]+[A-Za-z0-9_.-]*',
    24, '[REDACTED:github_token]', 'gl[a-z]+-[A-Za-z0-9_-]{9}', null,
    'glpat-' || repeat('a1', 10),
    null
  ),
  (
    50, 'provider_api_key', 'API keys of model providers and payment services',
    '<start>(?:sk-|[rs]k_(?:live|test)_|gsk_|hf_|xai-|pplx-|r8_|nvapi-)[A-Za-z0-9_-]+',
    19, '[REDACTED:provider_api_key]',
    'sk-[A-Za-z0-9_-]{4}|[rs]k_(?:live|test)_|gsk_|hf_|xai-|pplx-|r8_|nvapi-', 'token',
    'sk-' || repeat('aB3x', 10),
    'ca0e19f561c1c400e4b45890bf3218fa'
  ),
  (
    51, 'google_api_key', 'API keys of Google',
    '<start>AIza[0-9A-Za-z_-]+',
    39, '[REDACTED:provider_api_key]', 'AIza', null,
    'AIza' || repeat('aB3x_', 7),
    null
  ),
  (
    52, 'webhook_secret', 'Secrets of Stripe''s webhooks',
    '<start>whsec_[A-Za-z0-9+/=]+',
    30, '[REDACTED:provider_api_key]', 'whsec_', null,
    'whsec_' || repeat('aB3x', 8),
    null
  ),
  (
    53, 'slack_token', 'Slack tokens and webhooks',
    '<start>(?:xox[abeoprs](?:\.xox[bp])?-|xapp-[0-9]-|hooks\.slack\.com/(?:services|workflows|triggers)/)'
      || '[A-Za-z0-9/_-]+',
    15, '[REDACTED:slack_token]', 'xox[abeoprs][-.]|xapp-|hooks\.slack', null,
    'xoxb-' || '123456789012-' || 'abcdef',
    null
  ),
  (
    54, 'package_token', 'Tokens of npm and PyPI',
    '<start>(?:npm_|pypi-)[A-Za-z0-9_-]+',
    40, '[REDACTED:package_token]', 'npm_|pypi-', 'token',
    'npm_' || repeat('aB3x', 9),
    null
  ),
  (
    55, 'service_token', 'Tokens of DigitalOcean, Supabase, Vercel, Twilio and Vault',
    '<start>(?:do[opr]_v1_|sbp_|sb_secret_|vc[aikpr]_|SK|hv[bsr]\.)[A-Za-z0-9_-]+',
    28, '[REDACTED:service_token]',
    'do[opr]_v1_|sbp_|sb_secret_|vc[aikpr]_|SK[0-9a-f]{9}|hv[bsr]\.', 'token',
    'dop_' || 'v1_' || repeat('ab12', 16),
    null
  ),
  (
    56, 'sendgrid_key', 'API keys of SendGrid',
    '<start>SG\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+',
    40, '[REDACTED:service_token]', 'SG\.[A-Za-z0-9_-]{9}', null,
    'SG.' || repeat('aB3x', 5) || '.' || repeat('aB3x', 10),
    null
  ),
  (
    57, 'telegram_token', 'Tokens of Telegram bots',
    '(?<![A-Za-z0-9])[0-9]+:AA[A-Za-z0-9_-]+',
    42, '[REDACTED:service_token]', '[0-9]:AA', null,
    '123456789:' || 'AA' || repeat('aB3x_', 7),
    null
  ),
  (
    58, 'google_oauth', 'OAuth tokens and client secrets of Google',
    '<start>(?:ya29\.|GOCSPX-|1//0)[A-Za-z0-9_-]+',
    25, '[REDACTED:google_oauth]', 'ya29\.|GOCSPX-|1//0', null,
    'ya29.' || repeat('aB3x', 10),
    null
  ),
  (
    60, 'cloud_key_id', 'Access key ids of AWS',
    '<start>(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}(?![A-Za-z0-9])',
    0, '[REDACTED:cloud_key]', '(?:AKI|ASI|ABI|ACC)A', null,
    'AKIA' || 'IOSFODNN7EXAMPLE',
    '41f6dea6fa2cfbf079d31db2c255cec6'
  ),
  (
    61, 'cloud_secret', 'Secret keys of AWS and Azure next to their names',
    '(?i)(secret_?access_?key["'']?(?: *= *| *: +| *:["''])["'']?|accountkey=|sharedaccesskey=|[?&;]sig=)'
      || '[a-z0-9/+=%]+',
    40, '\1[REDACTED:cloud_key]',
    '[Ss][Ss]_?[Kk][Ee][Yy]|[Tt][Kk][Ee][Yy]=|[?&;][Ss][Ii][Gg]=', null,
    'AccountKey=' || repeat('aB3+', 21) || '==',
    '8323ae0d568fe2729ad035e7bf9577af'
  ),
  (
    62, 'azure_secret', 'Client secrets of Microsoft Entra',
    '(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]+',
    37, '[REDACTED:cloud_key]', '[78]Q~', null,
    'aB3' || '8Q~' || repeat('aB3.', 8),
    null
  ),
  (
    65, 'named_key', 'Values next to names such as x-api-key and client_secret',
    '(?i)<start>((?:x-api-key|api[_-]?key|auth[_-]?token|access[_-]?token|client[_-]?secret'
      || '|private-token|subscription-key|vercel[_-]token)["'']? *[:=] *["'']?)'
      || '[a-z0-9._~+-][a-z0-9._~+/=-]+',
    16, '\1[REDACTED:named_key]',
    '(?:[Kk][Ee][YyNn]|[Rr][Ee][Tt])(?:\\"|'')? *[:=]', 'token',
    'x-api-key: ' || repeat('aB3x', 8),
    null
  ),
  (
    70, 'url_password', 'Passwords in URLs',
    '(://[^][/\s:@"<>\uFDD0]*:)(?:[^/\s"<>\uFDD0]+|[0-9]*[^0-9/\s@"<>\uFDD0][^/\s@"<>\uFDD0]*'
      || '/[^\s@"<>\uFDD0]*)(@)',
    0, '\1[REDACTED:password]\2', '://[^/@\s"]*:[^@\s"]+@', null,
    'postgres://user:' || 'aB3x' || '@db.example',
    '403cd2a919a481468f143aaf3874de1b'
  ),
  (
    71, 'parameter_password', 'Passwords among the parameters of connection strings',
    '(?i)([?&;] *(?:password|pwd)=)[^\s&;"''<>\uFDD0]+',
    0, '\1[REDACTED:password]', '[Pp][Aa][Ss][Ss][Ww][Oo][Rr][Dd]=|[Pp][Ww][Dd]=', null,
    'jdbc:postgresql://db.example/x?user=a&password=' || 'aB3x',
    null
  ),
  (
    80, 'payment_card', 'Payment cards: issuer, length, grouping and check digit are right',
    '<digits>[2-6][0-9]{3}(?:[0-9]{5}[A-Za-z0-9_.-]*|[ .-][0-9]{3}[0-9 .-]*[A-Za-z0-9_]?)',
    13, '[REDACTED:payment_card]',
    '(?:(?<![0-9.])|\\u[0-9a-f]{4})[2-6][0-9]{3}(?:[0-9]{9}|[ .-][0-9]{3,6}[ .-][0-9]{3})', 'card',
    '4111 1111 1111 ' || '1111',
    '5d606d3ae4242818c3d25054a47dff58'
  ),
  (
    81, 'payment_card_named', 'Payment cards of 12 to 15 digits next to their name',
    '(?i)<start>((?:card|visa|maestro|karte|carte|tarjeta)(?:[ .:#=''"-]| no| nr| number)*)'
      || '(?:4|5[08]|6[37])[0-9]+(?![0-9A-Za-z_])',
    12, '\1[REDACTED:payment_card]', '(?:(?<![0-9.])|\\u[0-9a-f]{4})[456][0-9]{11}', 'short_card',
    'Visa: 4222222' || '222222',
    null
  ),
  (
    90, 'us_ssn', 'US social security numbers',
    '<digits>(?:00[1-9]|0[1-9][0-9]|[1-578][0-9]{2}|6[0-57-9][0-9]|66[0-57-9])'
      || '-(?:0[1-9]|[1-9][0-9])-(?:000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})(?![A-Za-z0-9_-])',
    0, '[REDACTED:us_ssn]', '[0-9]{3}-[0-9]{2}-[0-9]{4}', null,
    '123-45-' || '6789',
    'c9a444341098e9cb1d3490e077f1336a'
  ),
  (
    100, 'iban', 'IBANs with the length of their country and right check digits',
    '(?<![A-Za-z0-9_])'
      || '(?:[A-Z]{2}[0-9]{2}(?:[A-Z0-9]{4}[A-Z0-9]*|(?:[ -][A-Z0-9]{4})+(?:[ -][A-Z0-9]{1,3})?)'
      || '|[a-z]{2}[0-9]{2}(?:[a-z0-9]{4}[0-9]{7}[a-z0-9]*'
      || '|[ -][a-z0-9]{4}[ -][0-9]{4}(?:[ -][0-9]{3}[a-z0-9])+(?:[ -][a-z0-9]{1,3})?))'
      || '(?![A-Za-z0-9_])',
    15, '[REDACTED:iban]',
    '[A-Z]{2}[0-9]{2}[ -]?[A-Z0-9]{4}[ -]?[A-Z0-9]{4}[ -]?[A-Z0-9]{3}'
      || '|[a-z][0-9]{2}[ -]?[a-z0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{3}',
    'iban', 'DE89 3704 0044 ' || '0532 0130 00',
    '7137bb31f0e8f74eb160d326cc382e68'
  ),
  (
    200, 'email', 'E-mail addresses',
    '[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,63}',
    0, '[REDACTED:email]', '@[A-Za-z0-9-]+\.', null, 'ada@example.org',
    'a18ddedf3464fe077513f66ecb9b7dd2'
  ),
  (
    210, 'phone', 'Phone numbers in international form',
    '(?<![0-9+])\+[1-9][0-9 ().-]{6,18}[0-9]',
    0, '[REDACTED:phone]', '\+[1-9][0-9 ().-]{6}', null, '+49 170 1234567',
    '4f700455d57a2e538c61c11318afba83'
  ),
  (
    220, 'ip_address', 'IPv4 addresses',
    '(?<![0-9.])(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}'
      || '(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?![0-9.])',
    0, '[REDACTED:ip_address]', '[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]', null, '192.168.0.1',
    'a6639daa69bb28be644afb79061a729b'
  )
)
insert into pgthreads.redaction_rule as r
  (ordering, name, category, pattern, min_length, replacement, screen, first_look, verifier, example,
  needles, enabled)
select v.ordering, v.name, v.category,
  replace(replace(v.pattern, '<start>', '(?<![A-Za-z0-9])'), '<digits>', '(?<![A-Za-z0-9_.+/-])'),
  v.min_length,
  v.replacement, v.screen, case when v.ordering < 200 then l.any_secret end, v.verifier, v.example,
  n.needles, v.ordering < 200
    and (v.name <> 'payment_card_named' or exists (
      select from pgthreads.redaction_rule as c where c.name = 'payment_card' and c.enabled))
from rule as v
cross join look as l
left join (values
  ('private_key', array['-----begin']), ('private_key_cut', array['-----begin']), ('jwt', array['eyj']),
  ('bearer_token', array['bearer']), ('basic_auth', array['basic']),
  ('github_token', array['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_']), ('github_pat', array['github_pat_']),
  ('gitlab_token', array['gl']),
  ('provider_api_key', array['k-', 'k_', 'hf_', 'xai-', 'pplx-', 'r8_', 'nvapi-']),
  ('google_api_key', array['aiza']), ('webhook_secret', array['whsec_']),
  ('slack_token', array['xox', 'xapp-', 'hooks.slack']), ('package_token', array['npm_', 'pypi-']),
  ('service_token', array['_v1_', 'sbp_', 'sb_secret_', 'vca_', 'vci_', 'vck_', 'vcp_', 'vcr_', 'sk',
    'hvb.', 'hvs.', 'hvr.']),
  ('sendgrid_key', array['sg.']), ('telegram_token', array[':aa']),
  ('google_oauth', array['ya29.', 'gocspx-', '1//0']),
  ('cloud_key_id', array['akia', 'asia', 'abia', 'acca']), ('cloud_secret', array['key', 'sig=']),
  ('azure_secret', array['q~']), ('named_key', array['key', 'token', 'secret']),
  ('url_password', array['://']), ('parameter_password', array['password=', 'pwd=']),
  ('payment_card_named', array['card', 'visa', 'maestro', 'karte', 'carte', 'tarjeta']),
  ('us_ssn', array['-']), ('email', array['@']), ('phone', array['+']), ('ip_address', array['.'])
) as n (name, needles) on n.name = v.name
-- What an operator has deleted does not come back.
where v.shipped is null
  or exists (select from pgthreads.redaction_rule as o where o.name = v.name)
on conflict (name) do update
set category = excluded.category,
  pattern = excluded.pattern,
  min_length = excluded.min_length,
  replacement = excluded.replacement,
  screen = excluded.screen,
  first_look = excluded.first_look,
  verifier = excluded.verifier,
  example = excluded.example,
  needles = excluded.needles
-- Only what is still as it was shipped.
where md5(concat_ws('|', r.pattern, r.replacement, r.screen, coalesce(r.verifier, ''))) in (
  select v.shipped from rule as v where v.name = excluded.name
);

-- Last, for the trigger of the release before has run.
update pgthreads.config set redaction_screen = '', redaction_first_look = '';
