-- A window counts from 1 at both ends, and null is no bound.
begin;
select plan(7);
\ir ../helpers.psql

select lives_ok(
  format('select pgthreads.require_window(%s, %s)', w.last, w.before),
  format('%s, %s is a window', w.last, w.before)
)
from (values ('null', 'null'), ('1', 'null'), ('null', '1'), ('1', '2147483647'))
  as w (last, before);
select test.refuses(
  format('select pgthreads.require_window(%s, %s)', w.last, w.before), '22023', w.detail, null,
  format('%s, %s is none', w.last, w.before)
)
from (values
  ('0', 'null', 'last is 0, before_seq is null.'), ('null', '0', 'last is null, before_seq is 0.'),
  ('-1', '1', 'last is -1, before_seq is 1.')
) as w (last, before, detail);

select * from finish();
rollback;
