-- At most 10,000 matches are cut out: from the string with the first one beyond that on, strings
-- are replaced as a whole. Nothing gets through because of the bound.
begin;
select plan(14);
\ir ../helpers.psql

select is(
  pgthreads.redact_texts(array[repeat('&pwd=a ', 10000)]),
  array[repeat('&pwd=[REDACTED:password] ', 10000)],
  '10,000 passwords are cut out one by one'
);
select is(
  pgthreads.redact_texts(array['a' || repeat('&pwd=a ', 10001) || 'b']),
  array['[REDACTED:too_many_secrets]'],
  'a text with one more becomes a mark as a whole'
);
select is(
  pgthreads.redact_texts(array['a &pwd=b', repeat('&pwd=a ', 10000), 'c', '&pwd=d']),
  array['a &pwd=[REDACTED:password]'] || array_fill('[REDACTED:too_many_secrets]'::text, array[3]),
  'so do the string that exceeds the bound and all strings behind it'
);
select is(
  pgthreads.redact_texts(
    array['sk-' || repeat('aB3x', 10), repeat('&pwd=a ', 9999), '&pwd=d', 'e']),
  array['[REDACTED:provider_api_key]', repeat('&pwd=[REDACTED:password] ', 9999)]
    || array_fill('[REDACTED:too_many_secrets]'::text, array[2]),
  'the matches of all rules count together'
);
select is(
  pgthreads.redact_texts(array_fill('4111111111111111'::text, array[10003])),
  array_fill('[REDACTED:payment_card]'::text, array[10000])
    || array_fill('[REDACTED:too_many_secrets]'::text, array[3]),
  'cards in strings of their own'
);
select is(
  pgthreads.redact_texts(array[repeat('4111111111111111 ', 10001)]),
  array['[REDACTED:too_many_secrets]'],
  'cards in one text'
);
select is(
  pgthreads.redact_texts(array[repeat('4111111111111112 ', 20000) || '4111111111111111']),
  array[repeat('4111111111111112 ', 20000) || '[REDACTED:payment_card]'],
  '20,000 numbers that are no cards stay, and the card behind them does not'
);
select is(
  pgthreads.redact_texts(array[repeat('4111111111111112 ', 20000)
    || '4111 1111 1111 1111 5500 0000 0000 0004, 4111111111111111']),
  array[repeat('4111111111111112 ', 20000)
    || '[REDACTED:payment_card] [REDACTED:payment_card], [REDACTED:payment_card]'],
  'two cards in one match, behind others'
);
select is(
  pgthreads.redact_texts(array['a', repeat('bearer aaaaaaaaaaaaaaaaaaaa ', 10001)]),
  array['a', '[REDACTED:too_many_secrets]'],
  'what stands behind a name counts, too, where it fails the check'
);
select is(
  pgthreads.redact_texts(array[E'\u0664 &pwd=a', repeat(E'\u0664 &pwd=a ', 10000), 'b']),
  array[E'\u0664 &pwd=[REDACTED:password]']
    || array_fill('[REDACTED:too_many_secrets]'::text, array[2]),
  'in a folded text'
);

-- The bytes of a copy with so many characters folded are not traced back.
select ok(
  pgthreads.redact_texts(array[v.unusual, 'a', v.unusual || ' ' || v.secret, 'b ' || v.secret])
    = array[v.unusual, 'a', '[REDACTED:too_many_secrets]', '[REDACTED:too_many_secrets]'],
  v.what
)
from (values
  (repeat(E'\u0664', 100001), '4111111111111111', 'digits of another script, and a card'),
  (repeat(E'a\u200b', 100001), E'sk-aB3x\u200b' || repeat('aB3x', 9), 'zero-width spaces'),
  ((select string_agg(chr(119808 + n % 1000), '') from generate_series(1, 100001) as n),
    E'\uff14111111111111111', 'many different ones')
) as v (unusual, secret, what);
select ok(
  pgthreads.redact_texts(array[repeat(E'\u0664', 100000) || ' 4111111111111111'])
    = array[repeat(E'\u0664', 100000) || ' [REDACTED:payment_card]'],
  'the bytes of 100,000 are traced back'
);

select * from finish();
rollback;
