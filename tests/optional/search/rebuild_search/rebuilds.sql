-- Rebuilding makes the words that the triggers made, or those of another language.
begin;
select plan(7);
\ir ../helpers.psql

select test.appends('ann', 'k', test.message('1', 'Baking breads'),
  test.message('2', 'Warm ovens', 'assistant'), test.message('3', 'Be brief', 'system'),
  test.message('4', 'the'));
select test.appends('bob', 'k', test.message('1', 'Baking breads'),
  test.message('2', 'Warm ovens', 'assistant'));
create temp table before on commit drop as select test.words('ann') as words;
select is(pgthreads.rebuild_search(), 6::bigint, 'it counts titles and messages with words');
select is(test.words('ann'), (select words from before), 'and makes the same words');
select is_empty(
  $$
    select c.relname from pg_class as c
    where c.relnamespace = 'pgthreads'::regnamespace and c.relkind = 'r'
      and not c.relforcerowsecurity
  $$,
  'row level security is forced again'
);
update pgthreads.search_config set language = 'simple';
select lives_ok('set local role pgthreads_owner', 'as the owner');
select is(pgthreads.rebuild_search(), 7::bigint, 'it can be rebuilt in another language');
reset role;
select matches(test.words('bob'), 'baking', 'which keeps words as they are');
select throws_ok(
  $$ update pgthreads.search_config set language = 'klingon' $$, null, null,
  'no unknown language'
);

select * from finish();
rollback;
