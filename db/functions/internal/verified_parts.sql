-- Which part of each text that a rule has found passes the rule's check: where it begins, and how
-- many characters it has; nulls if nothing passes. It takes all texts in one statement, because a
-- call for each text costs several times as much as the check. A text may also have what follows a
-- card or an IBAN.

create or replace function pgthreads.verified_parts(
  p_texts text[],
  p_verifier text,
  out starts int[],
  out lengths int[]
)
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
  v_iban_lengths jsonb;
  v_start int;
  v_try int;
  v_has_longer boolean := false;
  v_has_number boolean := false;
begin
  if p_verifier = 'token' then
    -- Words with hyphens between them are not a token.
    select array_agg(case when t.is_token then 0 end),
      array_agg(case when t.is_token then char_length(t.found) end)
    into strict starts, lengths
    from (
      select u.found, u.found ~ '[A-Za-z0-9]{20}|[A-Za-z][0-9]+[A-Za-z]|[0-9][A-Za-z]+[0-9]'
        or u.found ~ '[a-z][A-Z].*[a-z][A-Z].*[a-z][A-Z]' as is_token
      from unnest(p_texts) as u (found)
      offset 0
    ) as t;
  elsif p_verifier = 'luhn' then
    select array_agg(case when t.is_luhn then 0 end),
      array_agg(case when t.is_luhn then char_length(t.found) end)
    into strict starts, lengths
    from (
      select u.found, pgthreads.is_luhn(u.found) as is_luhn
      from unnest(p_texts) as u (found)
      offset 0
    ) as t;
  elsif p_verifier = 'short_card' then
    select array_agg(case when t.is_card then 0 end),
      array_agg(case when t.is_card then octet_length(t.found) end)
    into strict starts, lengths
    from (
      select u.found, case
          when octet_length(u.found) between 12 and 15 and u.found ~ '^[0-9]+$'
            and (octet_length(u.found) = 13 or not starts_with(u.found, '4'))
            then pgthreads.bcd_luhn(('x' || lpad(u.found, 16, '0'))::bit(64)::bigint) % 10 = 0
          else false
        end as is_card
      from unnest(p_texts) as u (found)
      offset 0
    ) as t;
  elsif p_verifier = 'iban' then
    v_iban_lengths := pgthreads.iban_lengths();
    select array_agg(case when t.is_iban then 0 end),
      array_agg(case when t.is_iban then t.length end)
    into strict starts, lengths
    from (
      select s.length, case
          when s.signs is null or octet_length(s.shape) <> s.signs
            or s.behind not in ('', ' ', '-')
            then false
          when s.shape ~ '^[A-Z][A-Z][0-9]+$'
            then (substr(s.shape, 5) || (ascii(s.shape) - 55) || (ascii(substr(s.shape, 2, 1)) - 55)
              || substr(s.shape, 3, 2))::numeric % 97 = 1
          when s.shape ~ '^[A-Z][A-Z][0-9][0-9][A-Z0-9]+$'
            then pgthreads.iban_remainder(s.shape) = 1
          else false
        end as is_iban
      from (
        select l.signs, l.length, substr(l.found, l.length + 1, 1) as behind,
          replace(replace(upper(left(l.found, l.length) collate "C"), ' ', ''), '-', '') as shape
        from (
          select n.found, n.signs, case
              when substr(n.found, 5, 1) in (' ', '-') then n.signs + (n.signs - 1) / 4
              else n.signs
            end as length
          from (
            select u.found, (v_iban_lengths ->> upper(left(u.found, 2) collate "C"))::int as signs
            from unnest(p_texts) as u (found)
            offset 0
          ) as n
          offset 0
        ) as l
        offset 0
      ) as s
      offset 0
    ) as t;
  else
    -- A payment card has the first digits of an issuer, as many digits as that issuer's cards, and
    -- a right check digit (ISO/IEC 7812). Kinds that are easily mistaken are left out: Visa's of 13
    -- digits without groups, which look like an EAN, and all of 17 and 18 digits, which look like
    -- the ids of messages. This tries the longest form that a text has, then the sixteen digits
    -- with which it begins, then sixteen digits after another number. Few texts have more than one
    -- of these.
    foreach v_try in array array[1, 2, 3] loop
      continue when v_try = 2 and not v_has_longer;
      v_start := case v_try when 3 then 5 else 0 end;
      select array_agg(case when c.is_card then v_start else c.start end),
        array_agg(case when c.is_card then c.candidate else c.length end),
        coalesce(bool_or(c.candidate = 23 and not c.is_card), false),
        coalesce(bool_or(c.has_number and not c.is_card), false) or v_has_number
      into strict starts, lengths, v_has_longer, v_has_number
      from (
        select d.start, d.length, d.candidate, d.has_number, d.digits is not null
          and case octet_length(d.digits)
            when 13 then d.front between 4000 and 4999
            -- Diners Club
            when 14 then d.front between 3000 and 3059 or d.front = 3095
              or d.front between 3600 and 3699 or d.front between 3800 and 3999
            -- American Express
            when 15 then d.front between 3400 and 3499 or d.front between 3700 and 3799
            -- Visa, Mastercard, Discover, Diners Club, JCB, UnionPay, Maestro
            when 16 then d.front between 4000 and 4999
              or d.front between 5100 and 5599 or d.front between 2221 and 2720
              or d.front = 6011 or d.front between 6440 and 6599
              or d.front between 3000 and 3059 or d.front between 3600 and 3699
              or d.front between 3800 and 3999
              or d.front between 3528 and 3589
              or d.front between 6200 and 6299 or d.front between 8100 and 8199
              or d.front in (5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763)
            -- Visa, UnionPay, Maestro
            when 19 then d.front between 4000 and 4999 or d.front between 6200 and 6299
              or d.front in (5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763)
            else false
          end
          and case
            when octet_length(d.digits) > 16 then
              (pgthreads.bcd_luhn(('x' || right(d.digits, 16))::bit(64)::bigint)
                + pgthreads.bcd_luhn(('x' || lpad(left(d.digits, -16), 16, '0'))::bit(64)::bigint))
                % 10 = 0
            else pgthreads.bcd_luhn(('x' || lpad(d.digits, 16, '0'))::bit(64)::bigint) % 10 = 0
          end as is_card
        from (
          select n.start, n.length, n.candidate, n.has_number, f.digits,
            left(f.digits, 4)::int as front
          from (
            select e.start, e.length, octet_length(e.candidate) as candidate,
              e.gap = ' ' and octet_length(e.candidate) = 19 and octet_length(e.found) > 23
                and substr(e.found, 20, 5) ~ '^ [0-9]+$' as has_number,
              case
                when e.gap = '' then replace(e.candidate, '-', '')
                -- Another number may follow groups with spaces.
                when substr(e.found, 1 + v_start + octet_length(e.candidate), 2) ~ (case e.gap
                    when ' ' then '^[.-]?[A-Za-z0-9]'
                    else '^[._-]?[A-Za-z0-9]'
                  end)
                  then null
                else replace(e.candidate, e.gap, '')
              end as digits,
              case
                when e.gap = '' then case
                  when octet_length(e.candidate) between 14 and 19
                    then octet_length(replace(e.candidate, '-', ''))
                end
                when e.gaps = 2 then case
                  when octet_length(e.candidate) > 15 then octet_length(e.candidate) - 2
                end
                when octet_length(e.candidate) = 16 then case
                  when substr(e.candidate, 9, 1) = e.gap and substr(e.candidate, 13, 1) = e.gap
                    then 13
                end
                when octet_length(e.candidate) in (19, 23)
                  and substr(e.candidate, 10, 1) = e.gap and substr(e.candidate, 15, 1) = e.gap
                  then octet_length(e.candidate) - e.gaps
              end as count
            from (
              select g.found, g.start, g.length, g.gap, g.gaps, case
                  when g.start is not null or octet_length(g.found) < 13 then null
                  -- A dot or a hyphen at the end belongs to the sentence; if more follows, it is
                  -- part of a longer token.
                  when g.gap = '' then case when v_try = 1 then rtrim(g.found, '.-') end
                  when v_try > 1 then case
                    when v_try = 2 or g.gap = ' ' then substr(g.found, 1 + v_start, 19)
                  end
                  when g.gaps = 2 then left(g.found, case
                      when substr(g.found, 17, 1) between '0' and '9' then 17
                      else 16
                    end)
                  when substr(g.found, 10, 1) <> g.gap then left(g.found, 16)
                  when g.gaps = 3 then left(g.found, 19)
                  else left(g.found, 23)
                end as candidate
              from (
                select u.found, u.start, u.length, h.gap, case
                    when h.gap = '' then 0
                    when v_try = 1 and substr(u.found, 12, 1) = h.gap then 2
                    when v_try = 1 and substr(u.found, 20, 1) = h.gap
                      and substr(u.found, 21, 4) ~ '^[0-9]{3}(?:[^0-9A-Za-z]|$)'
                      then 4
                    else 3
                  end as gaps
                from unnest(p_texts, starts, lengths) as u (found, start, length)
                cross join lateral (select ltrim(substr(u.found, 5, 1), '0123456789') as gap) as h
                offset 0
              ) as g
              offset 0
            ) as e
            offset 0
          ) as n
          cross join lateral (
            select case
              when octet_length(n.digits) = n.count and n.digits ~ '^[0-9]+$' then n.digits
            end as digits
          ) as f
          offset 0
        ) as d
        offset 0
      ) as c;
      exit when v_try = 2 and not v_has_number or not (v_has_longer or v_has_number);
    end loop;
  end if;
end;
$$;

comment on function pgthreads.verified_parts(text[], text) is
  'Start and length of the part of each text that passes the rule''s check; null if none does.';
revoke all on function pgthreads.verified_parts(text[], text) from public;
