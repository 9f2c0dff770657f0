-- The table holds everybody to the same keys, superusers too.
begin;
select plan(9);
\ir ../helpers.psql

select lives_ok(
  format('insert into pgthreads.thread (owner_user_id, state_key) values (''alice'', %L)', k.key),
  format('a thread may be called %s', left(k.key, 20))
)
from (values ('a'), ('-_Az09'), (repeat('k', 128))) as k (key);
select throws_ok(
  format('insert into pgthreads.thread (owner_user_id, state_key) values (''alice'', %L)', k.key),
  '23514', null, format('and not %s', to_json(left(k.key, 20)))
)
from (values (''), ('a b'), ('ä'), (E'a\n'), (repeat('k', 129))) as k (key);
select is_empty(
  $$
    select t.state_key from pgthreads.thread as t
    where pgthreads.is_state_key(t.state_key) is not true
  $$,
  'what the table takes is a key'
);

select * from finish();
rollback;
