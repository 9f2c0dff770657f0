-- Which part of what a rule found passes the rule's check: where it begins, and how many characters it
-- has; null if none does. What stands behind a card or an IBAN may have been found with it.

create or replace function pgthreads.verified_part(p_text text, p_verifier text)
returns int[]
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_shape text;
  v_gap text;
  v_form text;
  v_length int;
  v_signs int;
begin
  case p_verifier
    when 'token' then
      -- Words with hyphens between them are no token.
      if p_text ~ '[A-Za-z0-9]{20}|[A-Za-z][0-9]+[A-Za-z]|[0-9][A-Za-z]+[0-9]'
        or p_text ~ '[a-z][A-Z].*[a-z][A-Z].*[a-z][A-Z]'
      then
        return array[0, char_length(p_text)];
      end if;
    when 'luhn' then
      if pgthreads.is_luhn(p_text) then
        return array[0, char_length(p_text)];
      end if;
    when 'short_card' then
      if char_length(p_text) between 12 and 15 and p_text ~ '^[0-9]+$'
        and pgthreads.luhn_sum(p_text::bigint) % 10 = 0
        and (char_length(p_text) = 13 or left(p_text, 1) <> '4')
      then
        return array[0, char_length(p_text)];
      end if;
    when 'iban' then
      v_signs := pgthreads.iban_length(left(p_text, 2));
      if v_signs is null then
        return null;
      end if;
      v_length := v_signs;
      if substr(p_text, 5, 1) in (' ', '-') then
        v_length := v_length + (v_length - 1) / 4;
      end if;
      v_shape := upper(translate(left(p_text, v_length), ' -', ''));
      if char_length(v_shape) = v_signs
        and substr(p_text, v_length + 1, 1) in ('', ' ', '-')
        and v_shape ~ '^[A-Z][A-Z][0-9][0-9][A-Z0-9]+$'
        and pgthreads.iban_remainder(v_shape) = 1
      then
        return array[0, v_length];
      end if;
    when 'card' then
      v_shape := translate(left(p_text, 32), '0123456789', '9999999999');
      if starts_with(v_shape, '99999') then
        -- A dot or a hyphen behind it ends a sentence; with more behind that it is a longer token.
        v_length := char_length(rtrim(v_shape, '.-'));
        if v_length between 14 and 19 and pgthreads.is_card(left(p_text, v_length)) then
          return array[0, v_length];
        end if;
        return null;
      end if;
      v_gap := substr(v_shape, 5, 1);
      v_shape := replace(v_shape, v_gap, '_');
      foreach v_form in array array['9999_9999_9999_9999_999', '9999_9999_9999_9999',
        '9999_999999_99999', '9999_999999_9999', '9999_999_999_999']
      loop
        v_length := char_length(v_form);
        if starts_with(v_shape, v_form) and pgthreads.is_card(left(p_text, v_length))
          -- Behind groups with spaces may be another number.
          and substr(v_shape, v_length + 1, 2) !~ (case
            when v_gap = ' ' then '^[.-]?[A-Za-z0-9]'
            else '^[._-]?[A-Za-z0-9]'
          end)
        then
          return array[0, v_length];
        end if;
      end loop;
      -- And in front of them.
      if v_gap = ' ' and substr(v_shape, 6) ~ '^9999_9999_9999_9999(?![.-]?[A-Za-z0-9])'
        and pgthreads.is_card(substr(p_text, 6, 19))
      then
        return array[5, 19];
      end if;
  end case;
  return null;
end;
$$;

comment on function pgthreads.verified_part(text, text) is
  'Start and length of what passes the check of a redaction rule; null if nothing does.';
revoke all on function pgthreads.verified_part(text, text) from public;
