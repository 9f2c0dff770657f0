-- STATE_KEY_LIFECYCLE: a nanoid of 21 characters of the url alphabet.
begin;
select plan(4);
\ir ../helpers.psql

set local role tap_server;
create temp table made as select pgthreads.new_state_key() as key from generate_series(1, 10000);
select is(
  (select count(*) from made where key ~ '^[A-Za-z0-9_-]{21}$'), 10000::bigint,
  'each of 10,000 has 21 characters of the alphabet'
);
select is((select count(distinct key) from made), 10000::bigint, 'no two are the same');
select is(
  (select count(distinct substr(key, i, 1)) from made, generate_series(1, 21) as i), 64::bigint,
  'every letter of the alphabet is used'
);
-- 10,000 draws of 64 letters: 156 each on average, with a standard deviation of 12.4.
select is_empty(
  $$
    select i, substr(key, i, 1), count(*)
    from made, generate_series(1, 21) as i
    group by 1, 2
    having count(*) not between 75 and 245
  $$,
  'at every place each letter is about as frequent as the others'
);

select * from finish();
rollback;
