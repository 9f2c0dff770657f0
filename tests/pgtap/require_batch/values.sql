begin;
select plan(5);
\ir ../helpers.psql

set local role pgthreads_maintenance;
select lives_ok(format('select pgthreads.require_batch(%s)', v), format('%s is a batch', v))
from unnest(array[1, 10000]) as v;
reset role;
select test.refuses(
  format('select pgthreads.require_batch(%s)', v), '22023', format('p_batch is %s.', v), null,
  format('%s is none', v)
)
from unnest(array['null', '0', '10001']) as v;

select * from finish();
rollback;
