-- For each rule, what it removes, and what looks like that and stays. Secrets are written in
-- pieces, so that no tool takes this file for a leak.
begin;
select no_plan();
\ir ../helpers.psql

create temp table hit (rule text, before text, secret text, after text, left_over text);
insert into hit
values
  ('provider_api_key', '', 'sk-' || repeat('aB3_', 10), '', ''),
  ('provider_api_key', '', 'sk-proj-' || repeat('aB-3', 10), '', ''),
  ('provider_api_key', '', 'sk-ant-api03-' || repeat('x', 30), '', ''),
  ('provider_api_key', '', 'sk_live_' || repeat('a1', 10), '', ''),
  ('provider_api_key', '', 'rk_test_' || repeat('a1', 10), '', ''),
  ('provider_api_key', '', 'AIza' || repeat('a', 35), '', ''),
  ('provider_api_key', '', 'gsk_' || repeat('a', 40), '', ''),
  ('provider_api_key', '', 'hf_' || repeat('a', 34), '', ''),
  ('provider_api_key', '', 'xai-' || repeat('a', 40), '', ''),
  ('provider_api_key', '', 'pplx-' || repeat('a', 40), '', ''),
  ('provider_api_key', '', 'r8_' || repeat('a', 37), '', ''),
  ('slack_token', '', 'xoxb-' || '123456789012-abcdef', '', ''),
  ('cloud_key', '', 'AKIA' || 'IOSFODNN7EXAMPLE', '', ''),
  ('cloud_key', '', 'ASIA' || 'IOSFODNN7EXAMPLE', '', ''),
  ('cloud_key', 'aws_secret_access_key = ', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', '',
    'aws_secret_access_key = '),
  ('cloud_key', '"secretAccessKey": "', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', '"',
    '"secretAccessKey": "'),
  ('cloud_key', 'AccountKey=', repeat('aB3+', 21) || '==', ';', 'AccountKey='),
  ('bearer_token', 'Authorization: Bearer ', repeat('aB3.', 8), '', 'Authorization: Bearer '),
  ('bearer_token', E'bearer\t', repeat('a1b2', 4), '', E'bearer\t'),
  ('github_token', '', 'ghp_' || repeat('a1', 18), '', ''),
  ('github_token', '', 'github_pat_' || repeat('a1', 20), '', ''),
  ('github_token', '', 'glpat-' || repeat('a1', 10), '', ''),
  ('jwt', '', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjMifQ.' || 'c2lnbmF0dXJl', '', ''),
  ('jwt', '', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiIxMjMifQ.', '', ''),
  ('private_key', '', E'-----BEGIN RSA PRIVATE KEY-----\nMIIE\n+/=\n-----END RSA PRIVATE KEY-----',
    '', ''),
  ('private_key', '', E'-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----', '', ''),
  ('private_key', '',
    E'-----BEGIN PGP PRIVATE KEY BLOCK-----\nxx!\n-----END PGP PRIVATE KEY BLOCK-----', '', ''),
  ('private_key', '', '-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----', '', ''),
  ('private_key', '', E'-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz', '', ''),
  ('password', 'postgres://user:', 'hunter2', '@db.example/x', 'postgres://user:@db.example/x'),
  ('password', 'redis://:', 'p%40ss:word', '@db.example', 'redis://:@db.example'),
  ('payment_card', '', '4111111111111111', '', ''),
  ('payment_card', '', '4111 1111 1111 1111', '', ''),
  ('payment_card', '', '4111-1111-1111-1111', '', ''),
  ('payment_card', '', '5555555555554444', '', ''),
  ('payment_card', '', '378282246310005', '', ''),
  ('payment_card', '', '3782 822463 10005', '', ''),
  ('payment_card', '', '30569309025904', '', ''),
  ('payment_card', '', '6011111111111117', '', ''),
  ('us_ssn', '', '123-45-6789', '', ''),
  ('iban', '', 'DE89370400440532013000', '', ''),
  ('iban', '', 'DE89 3704 0044 0532 0130 00', '', ''),
  ('iban', '', 'GB82 WEST 1234 5698 7654 32', ' AND MORE WORDS', ' AND MORE WORDS'),
  ('iban', '', 'NO9386011117947', '', ''),
  ('iban', '', 'de89370400440532013000', '', ''),
  ('iban', '', 'DE89-3704-0044-0532-0130-00', '', ''),
  ('private_key', '',
    E'-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A\n\nMIIE',
    '', ''),
  ('private_key', '', E'-----BEGIN PRIVATE KEY-----\n> MIIE\n> AB3x', '', ''),
  ('private_key', '', '-----BEGIN PRIVATE KEY-----<br>MIIE<br/>AB3x', '', ''),
  ('github_token', '', 'glrt-' || repeat('a1', 10), '', ''),
  ('github_token', '', 'gldt-' || repeat('a1', 10), '', ''),
  ('slack_token', '', 'xapp-' || '1-A0B1C2D3-123456-abc123', '', ''),
  ('slack_token', 'https://', 'hooks.slack' || '.com/services/T0A1/B0A1/abc123', '', 'https://'),
  ('provider_api_key', '', 'whsec_' || repeat('aB3x', 8), '', ''),
  ('provider_api_key', '', 'nvapi-' || repeat('aB3_', 16), '', ''),
  ('package_token', '', 'npm_' || repeat('aB3x', 9), '', ''),
  ('package_token', '', 'pypi-' || 'AgEI' || repeat('aB3_', 15), '', ''),
  ('service_token', '', 'SG.' || repeat('aB3_', 5) || 'xY.' || repeat('aB3-', 10) || 'xYz', '', ''),
  ('service_token', '', 'dop_' || 'v1_' || repeat('ab12', 16), '', ''),
  ('service_token', '', 'sbp_' || repeat('ab12', 10), '', ''),
  ('service_token', '', 'sb_secret' || '_' || repeat('aB3x', 6), '', ''),
  ('service_token', '', 'vcp_' || repeat('aB3x', 6), '', ''),
  ('service_token', '', '123456789:' || 'AA' || repeat('aB3_', 8) || 'x', '', ''),
  ('service_token', '', 'SK' || repeat('0a1b', 8), '', ''),
  ('service_token', '', 'hvs.' || repeat('aB3x', 6), '', ''),
  ('google_oauth', '', 'ya29.' || repeat('aB3_', 10), '', ''),
  ('google_oauth', '', 'GOCSPX-' || repeat('aB3x', 7), '', ''),
  ('google_oauth', '', '1//0' || repeat('aB3x', 11), '', ''),
  ('cloud_key', 'SharedAccessKey=', repeat('aB3+', 10) || 'xY3=', '', 'SharedAccessKey='),
  ('cloud_key', 'https://a.example/b?sv=1&sig=', repeat('aB3x', 10) || '%3D', '&se=2',
    'https://a.example/b?sv=1&sig='),
  ('cloud_key', '', 'aB3' || '8Q~' || repeat('aB3.', 8), '', ''),
  ('basic_auth', 'Authorization: Basic ', repeat('dXN1', 4) || '==', '', 'Authorization: Basic '),
  ('named_key', 'x-api-key: ', repeat('aB3x', 6), '', 'x-api-key: '),
  ('named_key', 'TWILIO_AUTH_TOKEN=', repeat('0a1b', 8), '', 'TWILIO_AUTH_TOKEN='),
  ('named_key', '"client_secret": "', repeat('aB3x', 6), '"', '"client_secret": "'),
  ('password', 'postgres://user:', 'p/w3rd', '@db.example/x', 'postgres://user:@db.example/x'),
  ('password', 'jdbc:mysql://db.example/x?user=a&password=', 'hunter2', '&ssl=1',
    'jdbc:mysql://db.example/x?user=a&password='),
  ('payment_card', '', '4111.1111.1111.1111', '', ''),
  ('payment_card', '', '2221000000000009', '', ''),
  ('payment_card', '', '6200000000000005', '', ''),
  ('payment_card', '', '3530111333300000', '', ''),
  ('payment_card', '', '4000000000000000006', '', ''),
  ('payment_card', 'Visa: ', '4222222222222', '', 'Visa: '),
  ('payment_card', '2 of ', '4111 1111 1111 1111', ' 12/27 123', '2 of '),
  ('payment_card', '1234 ', '4111 1111 1111 1111', '', '1234 ');

reset role;
grant select on hit to tap_server;
set local role tap_server;
select is(
  pgthreads.redact_text(h.before || h.secret || h.after),
  h.before || '[REDACTED:' || h.rule || ']' || h.after,
  format('%s: %s…', h.rule, left(h.secret, 12))
)
from hit as h;

-- The same behind text that may hide the start of a word.
select is_empty(
  $$
    select f.front, h.rule, left(h.secret, 10) as secret,
      pgthreads.redact_text(f.front || h.before || h.secret || h.after)
    from hit as h
    cross join (values
      ('key: '), (E'line\n'), (E'tab\t'), ('"'), ($q$'$q$), ('('), ('='), (':'), ('é'), ('😀'),
      ('{\"k\":\"'), ('first\n'), ('first\t'), ('\u003c'), ('x,')
    ) as f (front)
    where strpos(pgthreads.redact_text(f.front || h.before || h.secret || h.after), h.secret) > 0
      or not starts_with(
        pgthreads.redact_text(f.front || h.before || h.secret || h.after), f.front)
  $$,
  'after a newline, a quote, an escape or any other sign each is found, and the sign stays'
);
select is_empty(
  $$
    select h.rule, left(h.secret, 10) as secret
    from hit as h
    cross join lateral (select h.before || h.secret || h.after as t) as s
    where pgthreads.redact_text(pgthreads.redact_text(s.t)) <> pgthreads.redact_text(s.t)
      or strpos(pgthreads.redact_text(s.t || ' ' || s.t || E'\n' || s.t), h.secret) > 0
  $$,
  'twice is like once, and three in a row are all found'
);

-- Near misses.
select is(pgthreads.redact_text(n.text), n.text, 'stays: ' || left(n.text, 60))
from (values
  ('sk-' || repeat('a', 15)), ('task-' || repeat('a', 30)), ('desk_live_' || repeat('a', 20)),
  ('AIza' || repeat('a', 20)), ('thf_' || repeat('a', 40)), ('xoxz-1234567890'),
  ('AKIA' || 'IOSFODNN7EXAMPL'), ('XAKIA' || 'IOSFODNN7EXAMPLE'), ('AKIA' || 'IOSFODNN7EXAMPLEX'),
  ('akia' || 'iosfodnn7example'), ('my secret access key is short'), ('AccountKey=short'),
  ('the bearer of news'), ('Bearer short'), ('forbearer ' || repeat('a', 20)),
  ('ghp_' || repeat('a', 35)), ('eyJhbGciOiJIUzI1NiJ9'), ('eyJhbGciOiJIUzI1NiJ9.abc'),
  ('-----BEGIN PUBLIC KEY-----MIIE-----END PUBLIC KEY-----'),
  ('-----BEGIN CERTIFICATE-----MIIE-----END CERTIFICATE-----'),
  ('https://host.example:8080/path@2x.png'), ('https://user@host.example'), ('a: b@c'),
  ('4111111111111112'), ('14111111111111111'), ('41111111111111111'), ('1234567890123456'),
  ('2024-01-02 03:04:05.123456'), ('000-45-6789'), ('666-45-6789'), ('900-45-6789'),
  ('123-00-6789'), ('123-45-0000'), ('123-45-67890'), ('1123-45-6789'), ('5-123-45-6789'),
  ('DE89370400440532013001'), ('DE8937040044'), ('ABCD 1234 EFGH 5678'),
  ('id 3f2504e0-4f89-41d3-9a0c-0305e82c3301'),
  ('0.4111111111111111'), ('52.4111111111111111, 13.5500005555555559'), ('a4111111111111111'),
  ('4111111111111111f'), ('4111111111111111-1'), ('41111111-1111-4111-8111-111111111111'),
  ('4006381333931'), ('490154203237518'), ('ORD-4111111111111111'), ('/posts/4111111111111111'),
  ('4000 4100 4200 4301'), ('sk-' || 'folding-cube-wrapper'), ('bearer authentication-scheme'),
  ('basic authentication'), ('x-api-key: your-key-goes-here'), ('https://host.example:8080/a/@b/c'),
  ('http://[::1]:8080/a@b'), ('111-22-3333-4'),
  -- Off by default.
  ('mail me@example.com'), ('call +49 170 1234567'), ('ping 192.168.0.1'), ('')
) as n (text);
select is(pgthreads.redact_text(null), null, 'null stays null');

reset role;
update pgthreads.redaction_rule set enabled = true;
set local role tap_server;
select is(pgthreads.redact_text(v.text), v.wanted, v.text)
from (values
  ('mail me@example.com.', 'mail [REDACTED:email].'),
  ('call +49 170 1234567!', 'call [REDACTED:phone]!'),
  ('ping 192.168.0.1, 10.0.0.255', 'ping [REDACTED:ip_address], [REDACTED:ip_address]'),
  ('version 1.2.3', 'version 1.2.3'), ('300.1.1.1', '300.1.1.1'), ('1.2.3.4.5', '1.2.3.4.5'),
  ('me@localhost', 'me@localhost'), ('1+2 = 3', '1+2 = 3')
) as v (text, wanted);

-- The screen must match every text that a rule changes, as serialised JSON.
reset role;
insert into hit values ('email', '', 'a@b.example', '', ''),
  ('phone', '', '+49 170 1234567', '', ''),
  ('ip_address', '', '192.168.0.1', '', '');
select is_empty(
  $$
    select h.rule, left(h.secret, 12), f.front
    from hit as h
    cross join (values (''), (E'\n'), (E'"\\'), ('{\"k\":\"'), (E'\x01')) as f (front)
    cross join lateral (values (f.front || h.before || h.secret || h.after)) as t (text)
    join pgthreads.redaction_rule as r
      on pgthreads.redact_texts(array[t.text], r.name) <> array[t.text]
    where to_jsonb(t.text)::text !~ r.screen
      or to_jsonb(t.text)::text !~ coalesce(r.first_look, '')
      or to_jsonb(t.text)::text !~ (select c.screen from pgthreads.redaction_screen as c)
  $$,
  'each rule''s own screen fires wherever its pattern does'
);
select is_empty(
  $$
    select r.name
    from pgthreads.redaction_rule as r
    where not exists (
      select from hit as h where h.before || h.secret || h.after ~ r.pattern)
  $$,
  'there is a sample for every rule'
);

select * from finish();
rollback;
