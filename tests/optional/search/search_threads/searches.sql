-- search_threads: what it finds, in what order, and what it never shows.
begin;
select plan(44);
\ir ../helpers.psql

select test.declared(
  'search_threads', array['text', 'text', 'integer', 'integer']::name[], 'setof record', true,
  'stable', true
);

-- The keys that a query finds, best first.
create function test.finds(p_owner text, p_query text)
returns text language sql volatile as $$
  select coalesce(string_agg(f.state_key, ' ' order by f.place), '')
  from pgthreads.set_tenant(p_owner) as t (owner),
    lateral pgthreads.search_threads(t.owner, p_query)
      with ordinality as f (state_key, t, c, u, s, m, r, n, k, h, place)
$$;

set local role tap_server;
select test.appends('ann', 'bread',
  test.message('1', 'How long do I bake a sourdough loaf?'),
  test.message('2', 'Forty minutes, in a very hot oven.', 'assistant'));
select test.appends('ann', 'trips',
  test.message('1', 'Where shall we travel?'),
  test.message('2', 'To Lisbon, where ovens rest in summer.', 'assistant'),
  test.message('3', 'And by which train? An oven on wheels', 'user'));
select test.appends('ann', 'parts', test.message('1', 'Which notes?'), '{
  "id": "2", "role": "assistant", "parts": [
    {"type": "reasoning", "text": "xylophone"},
    {"type": "text", "text": "The first part says marimba."},
    {"type": "dynamic-tool", "toolName": "find", "toolCallId": "c", "state": "output-available",
      "input": {"q": "vibraphone"}, "output": "glockenspiel"},
    {"type": "text", "text": "The second one says cajon."}
  ]}');
select test.appends('bob', 'secret', test.message('1', 'My sourdough is better'));

select is(test.finds('ann', 'sourdough'), 'bread', 'a word of a user');
select is(test.finds('ann', 'minutes'), 'bread', 'a word of an answer');
select is(test.finds('ann', 'BAKED'), 'bread', 'another form of the word, in capitals');
select is(test.finds('ann', 'bake train'), '', 'all words have to be in one message');
select is(test.finds('ann', 'bake loaf'), 'bread', 'as these are');
select is(test.finds('ann', '"hot oven"'), 'bread', 'a phrase');
select is(test.finds('ann', '"oven hot"'), '', 'in its order');
select ok(
  test.finds('ann', 'lisbon or minutes') in ('bread trips', 'trips bread'), 'one or the other'
);
select is(test.finds('ann', 'oven -hot'), 'trips', 'and not that');
select is(test.finds('ann', 'oven'), 'trips bread', 'a user''s word before an answer''s');
select is(test.finds('ann', 'marimba'), 'parts', 'a text part');
select is(test.finds('ann', 'cajon'), 'parts', 'and the next one');
select is(test.finds('ann', 'xylophone'), '', 'no reasoning');
select is(test.finds('ann', 'vibraphone or glockenspiel'), '', 'nothing of tools');
select is(test.finds('ann', 'text or assistant or type'), '', 'no name of the format');
select is(test.finds('ann', 'the'), '', 'a word that is everywhere finds nothing');
select is(test.finds('ann', ''), '', 'nor does an empty query');
select is(test.finds('ann', '&|!():*<->"''\'), '', 'nor do signs alone');

-- Titles.
select u.title
from pgthreads.set_tenant('ann') as t (owner),
  lateral pgthreads.update_thread(t.owner, 'trips', 'Oven of the south') as u;
select is(test.finds('ann', 'south'), 'trips', 'a word of a title');
select is(
  (
    select (s.state_key, s.seq, s.message_id, s.role, s.hits)::text
    from pgthreads.set_tenant('ann') as t (owner),
      lateral pgthreads.search_threads(t.owner, 'oven', 1) as s
  ),
  '(trips,,,,3)', 'a title before all else, and how many hits there were'
);
select u.title
from pgthreads.set_tenant('ann') as t (owner),
  lateral pgthreads.update_thread(t.owner, 'trips', '') as u;
select is(test.finds('ann', 'south'), '', 'a title that is gone');

-- What a row says.
select results_eq(
  $$
    select s.state_key, s.message_count, s.seq, s.message_id, s.role, s.snippet, s.rank > 0, s.hits
    from pgthreads.set_tenant('ann') as t (owner),
      lateral pgthreads.search_threads(t.owner, 'hot minutes') as s
  $$,
  $$
    values ('bread', 2, 2, '2', 'assistant', 'Forty **minutes**, in a very **hot** oven', true, 1)
  $$,
  'thread, message, snippet and count'
);
select is(
  (
    select count(*)
    from pgthreads.set_tenant('ann') as t (owner),
      lateral pgthreads.search_threads(t.owner, 'oven', 1, 1) as s
  ),
  1::bigint, 'a second page'
);

-- Tenants and deleted threads.
select is(test.finds('bob', 'sourdough'), 'secret', 'another owner finds its own');
select is(test.finds('eve', 'sourdough'), '', 'and a third one nothing');
select test.refuses(
  $$ select pgthreads.search_threads('ann', 'x') $$, 'THTEN', null, null, 'not for another owner'
);
select throws_ok(
  'select tsv from pgthreads.message_search', '42501', null, 'the words cannot be read'
);
select is(
  (
    select d.deleted
    from pgthreads.set_tenant('bob') as t (owner),
      lateral pgthreads.soft_delete_thread(t.owner, 'secret') as d (deleted)
  ),
  true, 'a thread is deleted'
);
select is(test.finds('bob', 'sourdough'), '', 'and not found any more');

select pgthreads.set_tenant('ann');
select test.refuses(
  format('select pgthreads.search_threads(%L, %s)', 'ann', v.arguments), '22023', null, null,
  'refused: ' || v.arguments
)
from (values
  (1, 'null'), (2, 'repeat(''x'', 1001)'), (3, '''x'', 0'), (4, '''x'', 101'), (5, '''x'', 1, -1')
) as v (place, arguments)
order by v.place;

-- A message of any size or kind can be appended.
select is(
  test.appends('ann', 'huge-' || v.place, test.message('1', v.text)), 1, 'appended: ' || v.what
)
from (values
  (
    1, 'more words than a tsvector holds',
    (
      select string_agg(chr(119808 + i % 500) || chr(119808 + i / 500), ' ')
      from generate_series(1, 90000) as i
    )
  ),
  (2, 'one word of 500,000 letters', repeat('x', 500000)),
  (3, 'hyphens', repeat('a-b-c-d-e-f-', 40000)),
  (4, 'addresses', (
    select string_agg(format('https://h%s.example/%s/p?q=%s', i, i, i), ' ')
    from generate_series(1, 15000) as i
  ))
) as v (place, what, text)
order by v.place;
select is(test.finds('ann', repeat('x', 900)), '', 'a long word is no error');

select * from finish();
rollback;
