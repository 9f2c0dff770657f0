-- Pages by keyset over (updated_at, state_key), also if times are equal.
begin;
select plan(34);
\ir ../helpers.psql

create function test.pages(p_limit int) returns text language plpgsql as $$
declare
  v_cursor text;
  v_keys text;
  v_all text := '';
begin
  for v_round in 1..20 loop
    select string_agg(l.state_key, ' ' order by l.updated_at desc, l.state_key desc),
      max(l.next_cursor)
    into v_keys, v_cursor
    from pgthreads.list_threads('alice', p_limit, v_cursor) as l;
    v_all := concat_ws(' | ', nullif(v_all, ''), v_keys);
    exit when v_cursor is null;
  end loop;
  return v_all;
end;
$$;

set local role tap_server;
select test.refuses($$ select pgthreads.list_threads('alice') $$, 'THTEN', null, null, 'no tenant');
select pgthreads.set_tenant('alice') \gset
select is_empty($$ select pgthreads.list_threads('alice') $$, 'no threads yet');
select pgthreads.append_thread('alice', 'k' || i, test.messages(1, i))
  from generate_series(1, 7) as i
  \g /dev/null
select pgthreads.append_thread('alice', 'gone', '[]'), pgthreads.soft_delete_thread('alice', 'gone')
  \g /dev/null
select pgthreads.set_tenant('bob') \gset
select pgthreads.append_thread('bob', 'foreign', '[]') \g /dev/null
reset role;
-- k1 and k7 have times of their own; the others have the same time.
update pgthreads.thread
set (updated_at, recent_at) = (select c, c from (select case state_key
  when 'k1' then '2020-01-01 00:00:00.000001+00' when 'k7' then '2020-01-03 12:00:00+02'
  else timestamptz '2020-01-02 23:59:59.999999+00' end) as x (c));
set local role tap_server;
select pgthreads.set_tenant('alice') \gset

select results_eq(
  $$ select state_key, message_count, running from pgthreads.list_threads('alice') $$,
  $$ values ('k7', 7, false), ('k6', 6, false), ('k5', 5, false), ('k4', 4, false),
    ('k3', 3, false),
    ('k2', 2, false), ('k1', 1, false) $$,
  'the latest first, ties by key; neither deleted nor foreign ones'
);
select is(
  (select count(next_cursor) from pgthreads.list_threads('alice', 7)), 0::bigint,
  'a last page has no cursor'
);
select is(
  (select array_agg(next_cursor is not null order by state_key desc)
    from pgthreads.list_threads('alice', 3)),
  array[false, false, true], 'a page that is not the last has one in its last row'
);

select is(test.pages(p.size), p.pages, 'pages of ' || p.size)
from (values
  (1, 'k7 | k6 | k5 | k4 | k3 | k2 | k1'), (2, 'k7 k6 | k5 k4 | k3 k2 | k1'),
  (3, 'k7 k6 k5 | k4 k3 k2 | k1'), (6, 'k7 k6 k5 k4 k3 k2 | k1'), (7, 'k7 k6 k5 k4 k3 k2 k1'),
  (200, 'k7 k6 k5 k4 k3 k2 k1')
) as p (size, pages);

select results_eq(
  $$ select state_key from pgthreads.list_threads('alice', 1, (
    select next_cursor from pgthreads.list_threads('alice', 3) where next_cursor is not null)) $$,
  array['k4'], 'a cursor goes on exactly after its row'
);
select is_empty(
  $$ select * from pgthreads.list_threads('alice', 10, '0.a') $$, 'before all threads there is none'
);
select is(
  (select count(*) from pgthreads.list_threads('alice', 10, repeat('9', 18) || '.a')), 7::bigint,
  'a cursor in a far future comes before all'
);
select test.refuses(
  format('select pgthreads.list_threads(%L, 5, %L)', 'alice', c.cursor),
  '22023', 'p_cursor is %', '%next_cursor%', 'not a cursor: ' || left(c.cursor, 40)
)
from (values (''), ('a'), ('1'), ('1.'), ('.a'), ('-1.a'), ('1.a b'), ('1.5.a'), ('1.a' || E'\n'),
  ('1' || repeat('0', 18) || '.a'), (' 1.a'), ('1.''; drop')) as c (cursor);
select test.refuses(
  format('select pgthreads.list_threads(%L, %s)', 'alice', l.size),
  '22023', format('p_limit is %s.', l.size), '%1 to 200%', 'not a page size: ' || l.size
)
from (values ('0'), ('201'), ('null')) as l (size);
select pgthreads.begin_turn('alice', 'k1', test.message('u'), 't') \g /dev/null
select results_eq(
  $$ select state_key, running from pgthreads.list_threads('alice', 1) $$,
  $$ values ('k1', true) $$, 'an append brings a thread to the front; its turn runs'
);

-- The index may be up to a minute behind the times.
reset role;
insert into pgthreads.thread (owner_user_id, state_key, updated_at, recent_at)
select 'carol', 'c' || i, u.at, u.at - mod(i * 31, 60) * interval '1 second'
from generate_series(1, 300) as i
cross join lateral (
  select timestamptz '2020-01-01' + mod(i * 17, 250) * interval '7 seconds'
) as u (at);
create function test.walk(p_limit int) returns text language plpgsql as $$
declare
  v_cursor text;
  v_keys text;
  v_all text;
begin
  loop
    select string_agg(l.state_key, ' ' order by l.place), max(l.next_cursor) into v_keys, v_cursor
    from (
      select l.*, row_number() over () as place
      from pgthreads.list_threads('carol', p_limit, v_cursor) as l
    ) as l;
    v_all := concat_ws(' ', v_all, v_keys);
    exit when v_cursor is null;
  end loop;
  return v_all;
end;
$$;
select pgthreads.set_tenant('carol') \gset
select is(test.walk(size), (
  select string_agg(t.state_key, ' ' order by t.updated_at desc, t.state_key desc)
  from pgthreads.thread as t
  where t.owner_user_id = 'carol'
), 'the order is that of the times: pages of ' || size)
from unnest(array[1, 7, 50]) as size;
select pgthreads.append_thread('carol', 'now', test.messages(1, 1)) \g /dev/null
select recent_at as before from pgthreads.thread where state_key = 'now' \gset
select pgthreads.append_thread('carol', 'now', test.messages(2, 2)) \g /dev/null
select is(
  (select (recent_at = :'before', updated_at > recent_at) from pgthreads.thread
    where state_key = 'now'),
  (true, true), 'an append soon after another changes nothing that is indexed'
);

select * from finish();
rollback;
