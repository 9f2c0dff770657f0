-- Definitions. ALTER TABLE rewrites rows without triggers and policies. The owner can do it, and it
-- shows.
begin;
select plan(8);
\ir attacks.psql

select test.attack('tap_server', 'ownership', statement)
from (values
  ($$ alter table pgthreads.message alter column message type json using '{}' $$),
  ('drop table pgthreads.message'),
  ('alter table pgthreads.message disable row level security'),
  ('alter table pgthreads.message drop column digest')
) as v (statement);
select test.attack(
  role, 'the chain',
  statement,
  'Message 1 does not fit%'
)
from (values ('pgthreads_owner'), (current_user)) as r (role)
cross join (values
  ($$ drop view pgthreads.ai_threads, pgthreads.owner_usage;
      alter table pgthreads.message alter column message type json using '{}' $$),
  ($$ alter table pgthreads.message alter column digest type bytea using '' $$)
) as v (statement);

select * from finish();
rollback;
