-- Issuers, lengths, groups.
begin;
select plan(19);
\ir ../helpers.psql

select is(pgthreads.is_card(v.number), v.wanted, v.number)
from (values
  ('4111111111111111', true), ('4111-1111-1111-1111', true), ('4222 222 222 222', true),
  ('4222222222222', false), ('4111111111111112', false), ('378282246310005', true),
  ('5555555555554444', true), ('2223003122003222', true), ('2720990000000007', true),
  ('2721000000000004', false), ('30569309025904', true), ('6011111111111117', true),
  ('3530111333300000', true), ('490154203237518', false), ('1234567812345670', false),
  ('', false), ('abc', false), ('411111111111111111', false), (null, false)
) as v (number, wanted);

select * from finish();
rollback;
