begin;
select plan(13);
\ir ../helpers.psql

select pgthreads.cluster_history() as history \gset
select is(pgthreads.read_cursor('1.2.3.4.' || :'history'), array[1, 2, 3, 4, :'history']::bigint[],
  'five numbers');
select is(
  pgthreads.read_cursor(pgthreads.change_cursor()),
  string_to_array(pgthreads.change_cursor(), '.')::bigint[], 'what change_cursor makes'
);
select is(pgthreads.read_cursor(v.cursor), null, v.what)
from (values
  (1, 'no cursor', null), (2, 'an empty one', ''), (3, 'another history', '1.2.3.4.5'),
  (4, 'a number less', '1.2.3.' || :'history'), (5, 'one more', '1.2.3.4.5.' || :'history'),
  (6, 'an empty number', '1..3.4.' || :'history'), (7, 'a sign', '1.2.3.-4.' || :'history'),
  (8, 'letters', '1.2.x.4.' || :'history'), (9, 'a number too large',
    '1.2.3.9999999999999999999.' || :'history'),
  (10, 'a space', '1.2.3. 4.' || :'history'), (11, 'a long text', repeat('1.', 500000))
) as v (place, what, cursor)
order by v.place;

select * from finish();
rollback;
