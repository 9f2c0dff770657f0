-- Noncharacters, which the function uses itself, stay in strings in which nothing is found. So what
-- becomes of a string does not depend on the others.
begin;
select plan(2);
\ir ../helpers.psql

select is(
  pgthreads.redact_texts(array[
    U&'a \FDD0', U&'4111 1111 1111 1111 \FDD1', 'b', U&'\FDD2 c', '4111 1111 1111 1111']),
  array[
    U&'a \FDD0', U&'[REDACTED:payment_card] \FFFD', 'b', U&'\FDD2 c', '[REDACTED:payment_card]'],
  'they become U+FFFD only where something is found'
);
select is(
  pgthreads.redact_texts(array[U&'a \FDD0\FDD1\FDD2']), array[U&'a \FDD0\FDD1\FDD2'],
  'nothing is found'
);

select * from finish();
rollback;
