-- It checks the tenant first, then the state key, then the window.
begin;
select plan(5);
\ir ../helpers.psql

select pgthreads.set_tenant('alice') \gset
select lives_ok(
  $$ select pgthreads.require_read('alice', 'k', 1, null) $$, 'what every read may have'
);
select test.refuses(
  format('select pgthreads.require_read(%s)', r.arguments), r.state, null, null,
  'refused: ' || r.arguments
)
from (values
  (1, $$'bob', 'k k', 0, null$$, 'THTEN'), (2, $$'alice', 'k k', 0, null$$, 'THKEY'),
  (3, $$'alice', 'k', 0, null$$, '22023'), (4, $$'alice', 'k', 1, 0$$, '22023')
) as r (place, arguments, state)
order by r.place;

select * from finish();
rollback;
