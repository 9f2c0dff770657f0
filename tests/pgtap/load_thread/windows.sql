-- The three readers agree on every window, and return nothing if there is nothing.
begin;
select plan(30);
\ir ../helpers.psql

set local role tap_server;
select test.refuses($$ select pgthreads.load_thread('alice', 'k') $$, 'THTEN', null, null,
  'no tenant');
select test.refuses(
  $$ select * from pgthreads.read_messages('alice', 'k') $$, 'THTEN', null, null, 'nor for rows'
);
select test.refuses(
  $$ select * from pgthreads.read_thread('alice', 'k') $$, 'THTEN', null, null, 'nor with a header'
);
select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'k', test.messages(1, 5)) \g /dev/null

select is(
  (select jsonb_path_query_array(
    pgthreads.load_thread('alice', 'k', w.last, w.before)::jsonb, '$[*].id') #>> '{}'),
  w.ids, format('last %s before %s', w.last, w.before)
)
from (values
  (1, null::int, null::int, '["m1", "m2", "m3", "m4", "m5"]'),
  (2, 2, null, '["m4", "m5"]'),
  (3, 5, null, '["m1", "m2", "m3", "m4", "m5"]'),
  (4, 2147483647, null, '["m1", "m2", "m3", "m4", "m5"]'),
  (5, 2, 4, '["m2", "m3"]'),
  (6, null, 3, '["m1", "m2"]'),
  (7, null, 1, '[]'),
  (8, 1, 1, '[]'),
  (9, 1, 2, '["m1"]'),
  (10, 2, 2147483647, '["m4", "m5"]'),
  (11, 2147483647, 2147483647, '["m1", "m2", "m3", "m4", "m5"]')
) as w (place, last, before, ids)
order by w.place;
select is_empty(
  $$
    select w.last, b.before
    from (values (null), (1), (2), (3), (9)) as w (last)
    cross join (values (null), (1), (2), (4), (6), (9)) as b (before)
    cross join lateral (
      select coalesce(jsonb_agg(r.message::jsonb order by r.seq), '[]') as rows,
        coalesce(max(r.seq) - min(r.seq) + 1, 0) = count(*) as dense
      from pgthreads.read_messages('alice', 'k', w.last, b.before) as r
    ) as r
    cross join lateral pgthreads.read_thread('alice', 'k', w.last, b.before) as t
    where r.rows <> pgthreads.load_thread('alice', 'k', w.last, b.before)::jsonb
      or r.rows <> t.messages::jsonb
      or not r.dense
  $$,
  'all three readers agree on every window'
);
select is(
  pgthreads.load_thread('alice', 'k')::text,
  (select '[' || string_agg(message::text, ', ' order by seq) || ']'
    from pgthreads.read_messages('alice', 'k')),
  'the bytes are those that are stored'
);
select test.refuses(
  format('select pgthreads.load_thread(%L, %L, %s, %s)', 'alice', 'k', w.last, w.before),
  '22023', format('last is %s, before_seq is %s.', w.last, w.before), '%from 1 on%',
  format('last %s before %s', w.last, w.before)
)
from (values ('0', 'null'), ('null', '0'), ('-1', '1'), ('1', '-2147483648')) as w (last, before);
select test.refuses(
  $$ select pgthreads.load_thread('alice', E'k\n') $$, 'THKEY', null, null, 'a bad key'
);
select test.refuses(
  $$ select pgthreads.load_thread('alice', null) $$, 'THKEY', 'The key is null.', null, 'a null key'
);
select test.refuses(
  $$ select pgthreads.load_thread('bob', 'k') $$, 'THTEN', null, null, 'another tenant''s'
);

select is(pgthreads.load_thread('alice', 'none')::text, '[]', 'an unknown thread is empty');
select is_empty($$ select * from pgthreads.read_messages('alice', 'none') $$, 'and has no rows');
select is_empty($$ select * from pgthreads.read_thread('alice', 'none') $$, 'nor a header');
select pgthreads.set_tenant('bob') \gset
select is(pgthreads.load_thread('bob', 'k')::text, '[]', 'a foreign thread looks the same');
select is_empty($$ select * from pgthreads.read_thread('bob', 'k') $$, 'also by its header');
select pgthreads.set_tenant('alice') \gset
select pgthreads.soft_delete_thread('alice', 'k') \g /dev/null
select is(pgthreads.load_thread('alice', 'k')::text, '[]', 'and so does a deleted one');
select is_empty($$ select * from pgthreads.read_messages('alice', 'k') $$, 'which has no rows');

select * from finish();
rollback;
