-- All that this test writes is of its own transaction, so it is reported each time.
begin;
select plan(20);
\ir ../waiting.psql

create view test.changes as
select c.state_key, c.title, c.message_count as count, c.running, c.waiting, c.deleted, c.turn_id
from pgthreads.changed_threads(pgthreads.current_tenant(), pgthreads.change_cursor()) as c;
grant select on test.changes to public;

set local role tap_server;
select test.refuses(
  $$ select pgthreads.changed_threads('alice', null) $$, 'THTEN', null, null, 'no tenant'
);
select pgthreads.set_tenant('alice') \gset
select test.refuses(
  $$ select pgthreads.changed_threads('bob', null) $$, 'THTEN', null, null, 'another tenant'
);
select test.refuses(
  format('select pgthreads.changed_threads(%L, null, %L)', 'alice', v.number), '22023', null,
  '%1 to 1000%', 'a limit that is none'
)
from (values (0), (1001), (null)) as v (number);
select is_empty($$ select * from test.changes $$, 'nothing yet');

select pgthreads.append_thread('alice', 'a', test.messages(1, 3)) \g /dev/null
select results_eq(
  $$ select * from test.changes $$,
  $$ values ('a', 'text 1', 3, false, false, false, null::text) $$, 'a thread that began'
);
select pgthreads.begin_turn('alice', 'b', test.message('u'), 't1') \g /dev/null
select results_eq(
  $$ select * from test.changes where state_key = 'b' $$,
  $$ values ('b', 'hello', 1, true, false, false, 't1') $$, 'a turn that runs'
);
reset role;
update pgthreads.turn set lease_until = clock_timestamp();
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select results_eq(
  $$ select * from test.changes where state_key = 'b' $$,
  $$ values ('b', 'hello', 1, false, false, false, null::text) $$, 'one whose lease has ended'
);
reset role;
select test.waits('alice', 'c') \g /dev/null
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select results_eq(
  $$ select * from test.changes where state_key = 'c' $$,
  $$ values ('c', 'hello', 1, false, true, false, null::text) $$, 'an answer that waits'
);
select pgthreads.soft_delete_thread('alice', 'a') \g /dev/null
select results_eq(
  $$ select * from test.changes where state_key = 'a' $$,
  $$ values ('a', null::text, null::int, false, false, true, null::text) $$,
  'of a deleted thread there is only the key'
);
select is(
  (select count(*)::int from pgthreads.changed_threads('alice', pgthreads.change_cursor())
    where version = any (array(select x::text from pg_catalog.generate_series(1, 2) as x))),
  0, 'versions are transactions'
);
select is(
  (select count(distinct c.version)::int
    from pgthreads.changed_threads('alice', pgthreads.change_cursor()) as c), 2,
  'of which one deleted the thread under a savepoint'
);

select results_eq(
  $$ select c.state_key, c.version
    from pgthreads.changed_threads('alice', pgthreads.change_cursor(), 2) as c $$,
  $$ values (null::text, 'all') $$, 'more than the limit are a row that says so'
);
select is(
  (select count(*)::int
    from pgthreads.changed_threads('alice', pgthreads.change_cursor(), 3)), 3, 'as many are not'
);
select results_eq(
  format($$ select c.state_key, c.version from pgthreads.changed_threads('alice', %L) as c $$,
    v.cursor),
  $$ values (null::text, 'all') $$, v.what
)
from (values
  (1, 'no cursor', null), (2, 'nonsense', 'x'),
  (3, 'one of another cluster', regexp_replace(pgthreads.change_cursor(), '[0-9]+$', '1'))
) as v (place, what, cursor)
order by v.place;
select is_empty(
  format($$ select from pgthreads.changed_threads('alice', %L) $$,
    regexp_replace(pgthreads.change_cursor(), '^[0-9]+[.]', '99999999.')),
  'nothing has changed since a cursor that is ahead of a standby'
);

select pgthreads.set_tenant('bob') \gset
select is_empty($$ select * from test.changes $$, 'another tenant sees nothing of all that');

select * from finish();
rollback;
