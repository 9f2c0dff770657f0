-- It tells which part of each match passes: all texts in one call, in their order.
begin;
select plan(29);
\ir ../helpers.psql

select is(
  (
    select case when v.starts[2] is not null then array[v.starts[2], v.lengths[2]] end
    from pgthreads.verified_parts(array['x', w.found, null], w.verifier) as v
  ),
  w.wanted, format('%s: %s', w.verifier, w.found)
)
from (values
  ('card', '4111111111111111', array[0, 16]), ('card', '4111111111111112', null),
  ('card', '4111111111111111.', array[0, 16]), ('card', '411111111111111.1', null),
  ('card', '4222222222222', null), ('card', '4222 222 222 222', array[0, 16]),
  ('card', '4111 1111 1111 1111', array[0, 19]), ('card', '4111-1111-1111-1111', array[0, 19]),
  ('card', '4111 1111-1111 1111', null), ('card', '4111-1111-1111-1111-1', null),
  ('card', '4111 1111 1111 1111 12', array[0, 19]), ('card', '4111 1111 1111 1111.5', null),
  ('card', '2345 4111 1111 1111 1111', array[5, 19]),
  ('card', '4111 1111 1111 1111 1111', array[0, 19]),
  ('card', '4000 0000 0000 0000 006', array[0, 23]), ('card', '4000000000000000006', array[0, 19]),
  ('card', '3782 822463 10005', array[0, 17]), ('card', '3056 930902 5904', array[0, 16]),
  ('card', '3704 0044 0532 0130 00', null),
  ('short_card', '4222222222222', array[0, 13]), ('short_card', '422222222222', null),
  ('iban', 'DE89370400440532013000', array[0, 22]),
    ('iban', 'de89 3704 0044 0532 0130 00', array[0, 27]),
  ('iban', 'DE89 3704 0044 0532 0130 00 AND', array[0, 27]),
    ('iban', 'DE89370400440532013001', null),
  ('iban', 'GB82WEST12345698765432', array[0, 22]), ('iban', '0 12345678901234', null),
  ('token', 'aB3x', array[0, 4]), ('token', 'folding-cube', null)
) as w (verifier, found, wanted);

select * from finish();
rollback;
