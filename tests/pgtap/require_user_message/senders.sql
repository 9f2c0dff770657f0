-- CLIENT_SENDS_USER_ONLY: a user's text and files, without anything next to them.
begin;
select plan(3);
\ir ../helpers.psql

select is(
  pgthreads.require_user_message(jsonb_set(
    test.message('a'), '{parts,0,providerMetadata}', '{"p": {}}')),
  test.message('a'), 'options of a provider are left out'
);
select test.refuses(
  $$ select pgthreads.require_user_message(test.message('a', 'b', 'assistant')) $$,
  'THMSG', 'The role is assistant.', null, 'another role'
);
select test.refuses(
  $$ select pgthreads.require_user_message(test.message('a', ' ')) $$,
  'THMSG', 'There is no text and no file in it.', null, 'nothing said'
);

select * from finish();
rollback;
