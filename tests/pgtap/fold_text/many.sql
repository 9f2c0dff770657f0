-- The copy of a text with more than 100,000 unusual characters is the same as that of its parts.
begin;
select plan(4);
\ir ../helpers.psql

select is(
  (select f.copy from pgthreads.fold_text(repeat(v.part, 30000)) as f),
  repeat((select f.copy from pgthreads.fold_text(v.part) as f), 30000),
  v.what
)
from (values
  (E'\u0664\u200b-\uff33\u0664', 'of few characters'),
  (E'x\ufb03\u0664\u2460\u24b6\u00b2\u2100', 'of some that stay'),
  ((select string_agg(chr(119808 + n), '.') from generate_series(1, 40) as n), 'of many')
) as v (part, what);
select is(
  (select f.starts from pgthreads.fold_text(repeat(E'\u0664', 100001)) as f), null,
  'there is the copy alone'
);

select * from finish();
rollback;
