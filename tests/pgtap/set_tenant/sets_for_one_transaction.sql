-- The setting lasts for its transaction, has every owner id unchanged, and is undone by a rollback.
begin;
select plan(12);
\ir ../helpers.psql

set local role tap_server;
select is(pgthreads.set_tenant('alice'), 'alice', 'it returns the owner');
select is(current_setting('app.current_user_id'), 'alice', 'the setting holds the owner');
select is(pgthreads.current_tenant(), 'alice', 'current_tenant says so, too');

savepoint before;
select is(pgthreads.set_tenant('bob'), 'bob', 'another tenant may follow in the same transaction');
rollback to before;
select is(pgthreads.current_tenant(), 'alice', 'a rollback brings the tenant before back');

select is(
  pgthreads.set_tenant(v.id) || '|' || pgthreads.current_tenant(),
  v.id || '|' || v.id, 'an owner id is taken as it is: ' || v.what
)
from (values
  (1, 'quotes', $$o'brien"; reset role; --$$),
  (2, 'backslashes', $$a\'b\\$$),
  (3, 'white space', E' a\n\tb '),
  (4, 'words that set reads in a way of its own', 'default'),
  (5, 'letters of four bytes', repeat('😀', 255))
) as v (place, what, id)
order by v.place;

select test.refuses(
  format('select pgthreads.set_tenant(%L)', v.id), 'THTEN', '%1 to 255 characters%', null,
  'it refuses ' || v.what
)
from (values (1, 'an owner of no characters', ''), (2, 'one of 256', repeat('a', 256)))
  as v (place, what, id)
order by v.place;

select * from finish();
rollback;
