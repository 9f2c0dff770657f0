-- Keys are redacted and merged into the object; only objects of at most 64 KiB are accepted.
begin;
select plan(4);
\ir ../helpers.psql

select is(
  pgthreads.merge_metadata('{"a": 1, "b": 2}', '{"b": {"c": 3}}'), '{"a": 1, "b": {"c": 3}}',
  'a key replaces the one of its name'
);
select is(
  pgthreads.merge_metadata('{}', jsonb_build_object('k', 'sk-' || repeat('a1', 16))),
  '{"k": "[REDACTED:provider_api_key]"}', 'a secret is redacted'
);
select test.refuses(
  $$ select pgthreads.merge_metadata('{}', '[]') $$, 'THMSG', '%array%', null, 'no object'
);
select test.refuses(
  $$ select pgthreads.merge_metadata(jsonb_build_object('a', repeat('x', 40000)),
    jsonb_build_object('b', repeat('x', 40000))) $$,
  'THMAX', null, null, 'both together are too large'
);

select * from finish();
rollback;
