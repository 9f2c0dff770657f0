begin;
select plan(7);
\ir ../helpers.psql

select test.declared(
  'is_state_key', array['text']::name[], 'boolean', false, 'immutable', true
);

select is(
  pgthreads.is_state_key(null), null::boolean, 'nothing is neither a key nor anything else');
select results_eq(
  $$
    select k.key
    from (values ('a'), ('-_Az09'), (''), ('a b'), ('ä'), (E'a\n'), (E'\na'), ('a.b')) as k (key)
    where pgthreads.is_state_key(k.key)
  $$,
  array['a', '-_Az09'],
  'letters, digits, underscores and hyphens make a key'
);
select * from finish();
rollback;
