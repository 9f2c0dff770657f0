-- The words of what is appended, by the owner's thread and the message's seq.
begin;
select plan(5);
\ir ../helpers.psql

set local role tap_server;
select test.appends('ann', 'k', test.message('1', 'Baking breads'),
  test.message('2', 'Warm ovens', 'assistant'), test.message('3', 'Be brief', 'system'),
  test.message('4', 'the'));
select is(
  test.words('ann'),
  E'k0: ''bake'':1A ''bread'':2A\nk1: ''bake'':1B ''bread'':2B\nk2: ''oven'':2C ''warm'':1C',
  'words by weight; no system message, and no message without words'
);
select test.appends('ann', 'k', test.message('1', 'Baking breads'), test.message('5', 'Rye'));
select alike(test.words('ann'), E'%\nk5: ''rye'':1B', 'a later message under its seq');
select is(
  (select count(*) from regexp_matches(test.words('ann'), 'bake', 'g')), 2::bigint,
  'a repeated message leaves what is kept as it is'
);
select test.appends('ann', 'l', test.message('1', 'sk-' || repeat('a', 40) || ' loaves'));
select unalike(test.words('ann'), '%aaaa%', 'what redaction takes out is not kept');
select is(
  (
    select a.message_count
    from pgthreads.set_tenant('ann') as t (owner),
      lateral pgthreads.append_thread(t.owner, 'l', '[]', null, null, '{"a": 1}') as a
  ),
  1, 'an append without messages works'
);

select * from finish();
rollback;
