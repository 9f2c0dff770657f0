-- This is not called any more, but during an upgrade a call of the release before may be running
-- it.
--
-- Whether a text, without its spaces, hyphens and dots, is the number of a payment card: it has the
-- first digits of an issuer, as many digits as that issuer's cards, and a right check digit
-- (ISO/IEC 7812). Kinds that are easily mistaken are left out: Visa's of 13 digits without groups,
-- which look like an EAN, and all of 17 and 18 digits, which look like the ids of messages.

create or replace function pgthreads.is_card(p_text text)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_digits text := translate(p_text, ' -.', '');
  v_front int;
begin
  if v_digits is null or v_digits !~ '^[0-9]+$' then
    return false;
  end if;
  v_front := left(v_digits, 4)::int;
  return case octet_length(v_digits)
      when 13 then v_front between 4000 and 4999 and octet_length(p_text) > 13
      -- Diners Club
      when 14 then v_front between 3000 and 3059 or v_front = 3095
        or v_front between 3600 and 3699 or v_front between 3800 and 3999
      -- American Express
      when 15 then v_front between 3400 and 3499 or v_front between 3700 and 3799
      -- Visa, Mastercard, Discover, Diners Club, JCB, UnionPay, Maestro
      when 16 then v_front between 4000 and 4999
        or v_front between 5100 and 5599 or v_front between 2221 and 2720
        or v_front = 6011 or v_front between 6440 and 6599
        or v_front between 3000 and 3059 or v_front between 3600 and 3699
        or v_front between 3800 and 3999
        or v_front between 3528 and 3589
        or v_front between 6200 and 6299 or v_front between 8100 and 8199
        or v_front in (5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763)
      -- Visa, UnionPay, Maestro
      when 19 then v_front between 4000 and 4999 or v_front between 6200 and 6299
        or v_front in (5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763)
      else false
    end
    and pgthreads.luhn_sum(v_digits::bigint) % 10 = 0;
end;
$$;

comment on function pgthreads.is_card(text) is
  'Whether the text is the number of a payment card: issuer, length and check digit.';
revoke all on function pgthreads.is_card(text) from public;
