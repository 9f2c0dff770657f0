-- STATE_KEY_LIFECYCLE: 1 to 128 letters, digits, underscores and hyphens.
begin;
select plan(9);
\ir ../helpers.psql

select lives_ok(
  format('select pgthreads.require_state_key(%L)', k.key), format('%s is a key', left(k.key, 20))
)
from (values ('a'), ('-_Az09'), (repeat('k', 128))) as k (key);
select test.refuses(
  format('select pgthreads.require_state_key(%L)', k.key), 'THKEY', null, null,
  format('%s is none', coalesce(to_json(left(k.key, 20))::text, 'null'))
)
from (values (null), (''), ('a b'), ('ä'), (E'a\n'), (repeat('k', 129))) as k (key);

select * from finish();
rollback;
