-- The first look misses nothing: the shortest secret of each kind is found and not stored.
begin;
select plan(32);
\ir ../helpers.psql

create table test.secret (place serial, rule text, body text);
insert into test.secret (rule, body) values
  ('private_key', '-----BEGIN PRIVATE KEY-----x-----END PRIVATE KEY-----'),
  ('private_key', '-----BEGIN PRIVATE KEY-----'),
  ('jwt', 'eyJaaaaaaaa.eyJaaaaaaaa.'),
  ('bearer_token', 'BeaRer ' || repeat('a1', 4) || '.' || repeat('b', 7)),
  ('github_token', 'ghp_' || repeat('a', 36)),
  ('github_token', 'gho_' || repeat('a', 36)),
  ('github_token', 'ghr_' || repeat('a', 36)),
  ('github_token', 'github_pat_' || repeat('a', 22)),
  ('github_token', 'glpat-' || repeat('a', 20)),
  ('provider_api_key', 'sk-' || repeat('a1', 8)),
  ('provider_api_key', 'rk_test_' || repeat('a1', 8)),
  ('provider_api_key', 'sk_live_' || repeat('a1', 8)),
  ('provider_api_key', 'AIza' || repeat('a', 35)),
  ('provider_api_key', 'gsk_' || repeat('a', 32)),
  ('provider_api_key', 'hf_' || repeat('a', 30)),
  ('provider_api_key', 'xai-' || repeat('a', 32)),
  ('provider_api_key', 'pplx-' || repeat('a', 32)),
  ('provider_api_key', 'r8_' || repeat('a', 32)),
  ('slack_token', 'xoxb-' || repeat('a', 10)),
  ('cloud_key', 'AKIA' || repeat('A', 16)),
  ('cloud_key', 'ASIA' || repeat('A', 16)),
  ('cloud_key', 'ABIA' || repeat('A', 16)),
  ('cloud_key', 'ACCA' || repeat('A', 16)),
  ('cloud_key', 'secret_access_key=' || repeat('a/', 20)),
  ('cloud_key', 'SecretAccessKey: ' || repeat('+a', 20)),
  ('cloud_key', 'accountkey=' || repeat('a/', 20)),
  ('password', 'a://:b@'),
  ('payment_card', '4111-1111-1111-1111'),
  ('us_ssn', '123-45-6789'),
  ('iban', 'GB82 WEST 1234 5698 7654 32');

create table test.id (id text);
insert into test.id values ('sk-' || repeat('b', 40)), ('"'), ('\'), ('ü'), (E'\u2028');

select pgthreads.set_tenant('alice') \gset
select count(*)
from test.secret as s, lateral pgthreads.append_thread(
  'alice', 's' || s.place, jsonb_build_array(test.message('m', s.body))) \gset
select count(*)
from test.id as i, lateral pgthreads.append_thread(
  'alice', 'ids', jsonb_build_array(test.message(i.id, 'sk-' || repeat('a1', 8)))) \gset

select matches(
  pgthreads.load_thread('alice', 's' || s.place)::text, format('\[REDACTED:%s\]', s.rule),
  format('%s %s', s.rule, s.place))
from test.secret as s
order by s.place;
select ok(
  bool_and(to_jsonb(s.body)::text ~ c.screen and to_jsonb(s.body)::text ~ c.first_look),
  'whatever the screens find, the first look finds')
from test.secret as s, pgthreads.redaction_screen as c;
select is(
  (
    select count(*)::int
    from pgthreads.read_messages('alice', 'ids') as r
    join test.id as i on i.id = r.message ->> 'id'
    where r.message ->> 'parts' like '%[REDACTED:provider_api_key]%'
  ),
  5, 'an id stays, whatever it looks like, and what comes after it is looked at');

select * from finish();
rollback;
