-- The test cases of RFC 4231, except the one with a truncated output.
begin;
\ir ../empty.psql
select plan(6);

select is(
  encode(pgthreads.hmac_sha256(decode(v.key, 'hex'), decode(v.message, 'hex')), 'hex'),
  v.mac, 'test case ' || v.number
)
from (values
  (
    1, repeat('0b', 20), encode('Hi There', 'hex'),
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'
  ),
  (
    2, encode('Jefe', 'hex'), encode('what do ya want for nothing?', 'hex'),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'
  ),
  (
    3, repeat('aa', 20), repeat('dd', 50),
    '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'
  ),
  (
    4, '0102030405060708090a0b0c0d0e0f10111213141516171819', repeat('cd', 50),
    '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b'
  ),
  (
    6, repeat('aa', 131),
    encode('Test Using Larger Than Block-Size Key - Hash Key First', 'hex'),
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54'
  ),
  (
    7, repeat('aa', 131),
    encode(
      'This is a test using a larger than block-size key and a larger than block-size data. '
      'The key needs to be hashed before being used by the HMAC algorithm.', 'hex'),
    '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2'
  )
) as v (number, key, message, mac)
order by v.number;

select * from finish();
rollback;
