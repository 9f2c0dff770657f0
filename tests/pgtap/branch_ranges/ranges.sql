-- A branch goes back over the places where it has left other branches; windows cut it.
begin;
select plan(4);
\ir ../helpers.psql

select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'k', test.messages(1, 4)) \g /dev/null
select pgthreads.append_thread(
  'alice', 'k', test.messages(5, 6), p_parent_id => 'm2') \g /dev/null
select results_eq(
  format('select * from pgthreads.branch_ranges(%L, %L, %s)', 'alice', 'k', b.arguments),
  format('values %s', b.ranges), b.arguments
)
from (values
  ('6', '(5, 6), (1, 2)'), ('4', '(1, 4)'), 
  ('6, 3', '(5, 6), (2, 2)'), ('6, 2, 6', '(5, 5), (2, 2)')
) as b (arguments, ranges);

select * from finish();
rollback;
