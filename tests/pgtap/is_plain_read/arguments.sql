-- It is true only where require_read raises nothing.
begin;
select plan(24);
\ir ../helpers.psql

select pgthreads.set_tenant('alice') \gset
create temp table reads (place int, owner text, key text, last int, before int, is_plain boolean)
on commit drop;
insert into reads values
  (1, 'alice', 'k', null, null, true), (2, 'alice', 'k', 1, 1, true),
  (3, 'alice', repeat('k', 128), 20, null, true), (4, 'bob', 'k', null, null, false),
  (5, null, 'k', null, null, false), (6, 'alice', null, null, null, false),
  (7, 'alice', '', null, null, false), (8, 'alice', 'k k', null, null, false),
  (9, 'alice', repeat('k', 129), null, null, false), (10, 'alice', 'k', 0, null, false),
  (11, 'alice', 'k', null, 0, false), (12, 'alice', 'k', -1, 5, false);
select is(
  pgthreads.is_plain_read(r.owner, r.key, r.last, r.before), r.is_plain,
  format('%s: %s', r.place, case when r.is_plain then 'plain' else 'not plain' end)
)
from reads as r
order by r.place;
select case
  when r.is_plain then lives_ok(s.statement, format('%s: not refused', r.place))
  else throws_matching(s.statement, '.', format('%s: refused', r.place))
end
from reads as r
cross join lateral format('select pgthreads.require_read(%L, %L, %L, %L)',
  r.owner, r.key, r.last, r.before) as s (statement)
order by r.place;

select * from finish();
rollback;
