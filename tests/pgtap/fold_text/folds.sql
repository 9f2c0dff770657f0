-- What rules see of a text; replacements are made in the original.
begin;
select plan(13);
\ir ../helpers.psql

select is((select f.copy from pgthreads.fold_text(v.text) as f), v.copy, v.what)
from (values
  ('plain', 'plain', 'ASCII stays'), ('é ß 漢 😀', 'é ß 漢 😀', 'and what has no other form'),
  (E'a\u200bb\u00adc\ufe0fd', 'abcd', 'format characters go'),
  (E'\uff33\uff2b\uff0d１', 'SK-1', 'full width'), (E'1\u00a02\u20113\u20134', '1 2-3-4',
    'spaces and dashes'),
  ('٤١ ۴ १', '41 4 1', 'digits of other scripts'),
    (E'\ufb03', E'\ufb03', 'what NFKC makes several of stays')
) as v (text, copy, what);
select is(pgthreads.redact_text(v.text), v.wanted, v.what)
from (values
  (E'é 4111\u00a01111 1111 11\u200b11 ﬃ', 'é [REDACTED:payment_card] ﬃ', 'a card among others'),
  (E'\u200b４１１１１１１１１１１１１１１１\u200bx?', E'\u200b４１１１１１１１１１１１１１１１\u200bx?',
    'a longer token, whatever is in it'),
  (E'“４１１１１１１１１１１１１１１１”', '“[REDACTED:payment_card]”', 'full width'),
  (E'Bea\u200brer ' || repeat('aB3.', 6) || E' ✅\ufe0f',
    E'Bea\u200brer [REDACTED:bearer_token] ✅\ufe0f',
    'what is put back is as it was'),
  (E'👩\u200d👩\u200d👧 4111 1111 1111 1111', E'👩\u200d👩\u200d👧 [REDACTED:payment_card]',
    'emoji stay whole'),
  (repeat(E'm² \u200b½', 100) || ' sk-' || repeat(E'aB3x\u2060', 10),
    repeat(E'm² \u200b½', 100) || ' [REDACTED:provider_api_key]', 'behind many others')
) as v (text, wanted, what);

select * from finish();
rollback;
