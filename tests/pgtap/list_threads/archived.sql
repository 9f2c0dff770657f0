-- Archived threads are left out, listed alone, or listed with the others, in the same order.
begin;
select plan(14);
\ir ../helpers.psql

create function test.pages(p_limit int, p_archived boolean) returns text language plpgsql as $$
declare
  v_cursor text;
  v_keys text;
  v_all text := '';
begin
  for v_round in 1..20 loop
    select string_agg(l.state_key, ' ' order by l.updated_at desc, l.state_key desc),
      max(l.next_cursor)
    into v_keys, v_cursor
    from pgthreads.list_threads('alice', p_limit, v_cursor, p_archived) as l;
    v_all := concat_ws(' | ', nullif(v_all, ''), v_keys);
    exit when v_cursor is null;
  end loop;
  return v_all;
end;
$$;

set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'k' || i, test.messages(1, i))
  from generate_series(1, 7) as i
  \g /dev/null
select pgthreads.update_thread('alice', 'k' || i, p_archived => true)
  from generate_series(2, 6, 2) as i
  \g /dev/null
select pgthreads.append_thread('alice', 'gone', '[]'),
  pgthreads.update_thread('alice', 'gone', p_archived => true),
  pgthreads.soft_delete_thread('alice', 'gone')
  \g /dev/null
reset role;
update pgthreads.thread
set (updated_at, recent_at) = (select c, c - interval '30 seconds' from (
  select timestamptz '2020-01-01' + substr(state_key, 2)::int * interval '1 hour') as x (c))
where state_key like 'k%';
set local role tap_server;

select is(test.pages(p.size, p.archived), p.pages, format('%s in pages of %s', p.what, p.size))
from (values
  ('the list', false, 50, 'k7 k5 k3 k1'), ('the list', false, 3, 'k7 k5 k3 | k1'),
  ('the list', false, 1, 'k7 | k5 | k3 | k1'), ('the archive', true, 50, 'k6 k4 k2'),
  ('the archive', true, 2, 'k6 k4 | k2'), ('the archive', true, 1, 'k6 | k4 | k2'),
  ('all', null, 50, 'k7 k6 k5 k4 k3 k2 k1'), ('all', null, 3, 'k7 k6 k5 | k4 k3 k2 | k1'),
  ('all', null, 1, 'k7 | k6 | k5 | k4 | k3 | k2 | k1')
) as p (what, archived, size, pages);
select is(
  (select string_agg(state_key, ' ' order by state_key) from pgthreads.list_threads('alice')
    where archived_at is not null),
  null, 'the list says that its threads are not archived'
);
select is(
  (select count(archived_at) from pgthreads.list_threads('alice', 50, null, true)), 3::bigint,
  'and the archive since when'
);
select is_empty(
  $$ select from pgthreads.list_threads('alice', p_archived => true) where state_key = 'gone' $$,
  'no deleted thread'
);
select pgthreads.set_tenant('bob') \gset
select is_empty(
  $$ select pgthreads.list_threads('bob', p_archived => true) $$, 'nobody else''s archive'
);
select is_empty($$ select pgthreads.list_threads('bob', p_archived => null) $$, 'nor all threads');

select * from finish();
rollback;
