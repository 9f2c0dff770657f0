-- What keeps the words: triggers, the rebuilding, and what removes them.
begin;
select plan(9);
\ir ../../pgtap/helpers.psql

create function test.words(p_owner text) returns text language sql as $$
  select string_agg(format('%s%s: %s', s.state_key, s.seq, s.tsv), E'\n' order by s.state_key,
    s.seq)
  from pgthreads.message_search as s
  where s.owner_user_id = p_owner
$$;

select a.appended
from (values ('ann'), ('bob')) as o (owner),
  lateral pgthreads.set_tenant(o.owner) as t (owner),
  lateral pgthreads.append_thread(t.owner, 'k', jsonb_build_array(
    test.message('1', 'Baking breads'), test.message('2', 'Warm ovens', 'assistant'),
    test.message('3', 'Be brief', 'system'), test.message('4', 'the'))) as a;
select is(
  test.words('ann'),
  E'k0: ''bake'':1A ''bread'':2A\nk1: ''bake'':1B ''bread'':2B\nk2: ''oven'':2C ''warm'':1C',
  'words by weight; no system message, none without words'
);
create temp table before on commit drop as select test.words('ann') as words;
select is(pgthreads.rebuild_search(), 6::bigint, 'rebuilding counts');
select is(test.words('ann'), (select words from before), 'and makes the same');
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
select is(pgthreads.rebuild_search(), 8::bigint, 'it can be rebuilt in another language');
reset role;
select matches(test.words('bob'), 'baking', 'which keeps words as they are');
select throws_ok(
  $$ update pgthreads.search_config set language = 'klingon' $$, null, null,
  'no unknown language'
);
select pgthreads.erase_owner('bob');
select is(test.words('bob'), null, 'what is erased leaves no words');

select * from finish();
rollback;
