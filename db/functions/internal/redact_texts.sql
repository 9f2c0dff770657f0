-- Applies all enabled rules, in their order, or the one that is named, to decoded strings. The
-- strings are joined, so that the cost grows with their length and not with their number. Each rule
-- marks in one pass what it finds in a folded copy of the joined text, and what it replaces is
-- blank for the rules after it. At the end the spans, which are counted in bytes, are cut out of
-- the original.
--
-- At most 10,000 matches are cut out. The string with the first match beyond that is replaced by a
-- mark as a whole, and so is every string after it; so no secret gets through because of the limit.
-- A match counts even if it fails its rule's check, unless the rule looks only for the form of a
-- number, because long lists of other numbers have to stay.
--
-- The noncharacters U+FDD0 to U+FDD2 serve as separators. They mean nothing in a text that is
-- interchanged; in a string in which something is found they become U+FFFD.

create or replace function pgthreads.redact_texts(p_texts text[], p_rule text default null)
returns text[]
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
  v_between constant text := chr(64976);
  v_match constant text := chr(64977);
  v_field constant text := chr(64978);
  -- These are what hide_escapes() puts in the place of b, f, n, r and t.
  v_hidden constant text := chr(2) || chr(3) || chr(4) || chr(5) || chr(6);
  v_excess constant text := '[REDACTED:too_many_secrets]';
  v_many constant boolean := cardinality(p_texts) > 1;
  v_text text := array_to_string(p_texts, v_between, '');
  v_copy text;
  v_lower text;
  v_escapes boolean;
  v_fold_starts int[];
  v_fold_shifts int[];
  v_string_starts int[];
  v_bytes bytea;
  v_rule record;
  v_pass int;
  v_scan text;
  -- How many more matches there may be, the text before the first one too many, and how many
  -- strings are not replaced by v_excess.
  v_left int := 10000;
  v_before text;
  v_kept int := cardinality(p_texts);
  v_marks text;
  v_marked text;
  v_found record;
  v_starts int[] := array[]::int[];
  v_ends int[] := array[]::int[];
  v_replacements text[] := array[]::text[];
  v_cores text[];
  v_rests text[];
  v_fronts text[];
  v_backs text[];
  v_found_replacements text[];
  v_part_starts int[];
  v_part_lengths int[];
  -- Whether a pass can make the whole result, because nothing was found before it.
  v_is_direct boolean := true;
  v_has_words boolean := true;
  v_has_signs boolean := true;
  v_direct text;
begin
  if strpos(array_to_string(p_texts, ''), v_between) > 0
    or strpos(v_text, v_match) > 0 or strpos(v_text, v_field) > 0
  then
    v_cores := array(
      select translate(u.text, v_between || v_match || v_field, repeat(chr(65533), 3))
      from unnest(p_texts) with ordinality as u (text, place)
      order by u.place
    );
    return array(
      select case when u.redacted = u.copy then u.text else u.redacted end
      from unnest(p_texts, v_cores, pgthreads.redact_texts(v_cores, p_rule)) with ordinality
        as u (text, copy, redacted, place)
      order by u.place
    );
  end if;
  v_copy := v_text;
  if octet_length(v_text) > char_length(v_text)
    and v_text ~ coalesce((select s.folded from pgthreads.redaction_screen as s), '')
  then
    select f.copy, f.starts, f.shifts
    into strict v_copy, v_fold_starts, v_fold_shifts
    from pgthreads.fold_text(v_text) as f;
    -- If nobody knows where the copy's bytes were in the text, strings are replaced as a whole.
    if v_fold_starts is null and v_copy <> v_text then
      v_string_starts := array(
        select sum(octet_length(s.string) + octet_length(v_between)) over (
            order by s.place rows between unbounded preceding and current row
          ) - octet_length(s.string) - octet_length(v_between)
        from unnest(string_to_array(v_copy, v_between)) with ordinality as s (string, place)
        order by s.place
      );
    end if;
  end if;

  -- Strings often contain JSON, and there the letter of an escape would hide where a word starts.
  v_lower := lower(v_copy collate "C");
  v_escapes := strpos(v_copy, '\') > 0;
  if v_escapes then
    v_copy := pgthreads.hide_escapes(v_copy);
  end if;

  v_is_direct := v_fold_starts is null and v_string_starts is null and not v_escapes;
  -- In a long text each needle costs a scan, so needles that few texts have are looked for
  -- together: those that are words, and those with other signs.
  if octet_length(v_lower) > 65536 then
    select v_lower ~ coalesce(string_agg(k.pattern, '|') filter (where k.is_word), '[^\s\S]'),
      v_lower ~ coalesce(string_agg(k.pattern, '|') filter (where not k.is_word), '[^\s\S]')
    into strict v_has_words, v_has_signs
    from (
      select n.needle ~ '^[a-z]+$' as is_word,
        regexp_replace(n.needle, '[^a-z0-9]', '\\\&', 'g') as pattern
      from pgthreads.redaction_rule as r
      cross join unnest(r.needles) as n (needle)
      where case when p_rule is null then r.enabled else r.name = p_rule end
        and char_length(n.needle) > 2
    ) as k;
  end if;
  for v_rule in
    select r.pattern, r.min_length, r.verifier, r.needles, t.front, t.back,
      r.verifier is not null and strpos(r.replacement, '\') = 0 as counts_checked,
      strpos(r.replacement, '\') = 0 as is_plain,
      substr(r.replacement, 1 + char_length(t.front),
        char_length(r.replacement) - char_length(t.front) - char_length(t.back)) as replacement
    from pgthreads.redaction_rule as r
    -- front and back are the groups that are put back before the replacement and after it.
    cross join lateral (
      select case
          when strpos(r.replacement, '\') = 0 then ''
          else coalesce(substring(r.replacement from '^(?:\\[1-9])+'), '')
        end as front,
        case
          when strpos(r.replacement, '\') = 0 then ''
          when r.replacement ~ '^(?:\\[1-9])+$' or strpos(r.replacement, '\\') > 0 then ''
          else coalesce(substring(r.replacement from '(?:\\[1-9])+$'), '')
        end as back
    ) as t
    where case when p_rule is null then r.enabled else r.name = p_rule end
      -- A session keeps only 32 compiled expressions, so this leaves out rules that cannot find
      -- anything.
      and (r.needles is null or exists (
        select from unnest(r.needles) as n (needle)
        -- A case, or strpos() would come first, because the planner takes it to be cheap.
        where case
          when char_length(n.needle) <= 2 then strpos(v_lower, n.needle) > 0
          when n.needle ~ '^[a-z]+$' then v_has_words and strpos(v_lower, n.needle) > 0
          else v_has_signs and strpos(v_lower, n.needle) > 0
        end))
    order by r.ordering, r.name
  loop
    -- Each match becomes several fields: what is put back before it, what is put back after it and
    -- the replacement (these three only if the rule puts something back), and the match itself.
    -- Then comes the text after the match.
    v_marks := case
      when v_rule.is_plain then v_match || '\&' || v_field
      else v_match || v_rule.front || v_field || v_rule.back || v_field || v_rule.replacement
        || v_field || '\&' || v_field
    end;
    if v_escapes and strpos(v_rule.pattern, '\\') > 0 then
      v_copy := translate(v_copy, v_hidden, 'bfnrt');
    end if;
    -- The part that passes a check may be only a part of the match, and the rest of the match may
    -- have another one.
    v_pass := 1;
    v_scan := null;
    loop
      -- Each match contains a needle, so most texts need no search for the first match too many.
      if not v_rule.counts_checked and octet_length(v_copy) > v_left
        and (v_rule.needles is null or v_left < (
          select sum((octet_length(v_lower) - octet_length(replace(v_lower, n.needle, '')))
            / octet_length(n.needle))
          from unnest(v_rule.needles) as n (needle)
        ))
      then
        v_before := split_part(
          regexp_replace(v_copy, v_rule.pattern, v_match, 1, v_left + 1), v_match, 1);
        if octet_length(v_before) < octet_length(v_copy) then
          v_kept := cardinality(string_to_array(v_before || v_between, v_between)) - 2;
          v_copy := array_to_string(
            (string_to_array(v_copy, v_between))[1:v_kept], v_between, '');
          v_is_direct := false;
          v_direct := null;
        end if;
      end if;
      v_marked := regexp_replace(coalesce(v_scan, v_copy), v_rule.pattern, v_marks, 'g');
      exit when v_marked = coalesce(v_scan, v_copy);
      -- No match may reach from one string into the next, and each string has its own start and
      -- end.
      if v_many and (
        v_rule.pattern ~ '(?:^|[^[\\])\^|\$|\\[AZ]'
        or v_marked ~ replace(replace(replace(
          case when v_rule.is_plain then 'M[^MF]*B' else 'M[^MF]*F[^MF]*F[^MF]*F[^MF]*B' end,
          'M', v_match), 'F', v_field), 'B', v_between)
      ) then
        v_marked := (
          select string_agg(regexp_replace(s.string, v_rule.pattern, v_marks, 'g'), v_between
            order by s.place)
          from unnest(string_to_array(coalesce(v_scan, v_copy), v_between)) with ordinality
            as s (string, place)
        );
        exit when v_marked = coalesce(v_scan, v_copy);
      end if;

      -- The text before the first match gets as many fields as a match.
      if v_rule.is_plain then
        select array_agg(split_part(p.piece, v_field, 1)),
          array_agg(split_part(p.piece, v_field, 2))
        into strict v_cores, v_rests
        from unnest(string_to_array(v_field || v_marked, v_match)) as p (piece);
      else
        -- If a match begins and ends with what is put back, that stays where it is.
        select array_agg(case when k.fits then k.front end),
          array_agg(case when k.fits then k.back end),
          array_agg(case when k.fits then k.replacement else k.front || k.replacement
            || k.back end),
          array_agg(case
            when k.fits then substr(k.found, 1 + char_length(k.front),
              char_length(k.found) - char_length(k.front) - char_length(k.back))
            else k.found
          end),
          array_agg(k.rest)
        into strict v_fronts, v_backs, v_found_replacements, v_cores, v_rests
        from (
          select s.front, s.back, s.replacement, s.found, s.rest,
            starts_with(s.found, s.front)
              and (s.back = '' or right(s.found, char_length(s.back)) = s.back)
              and octet_length(s.front) + octet_length(s.back) <= octet_length(s.found) as fits
          from (
            select split_part(p.piece, v_field, 1) as front,
              split_part(p.piece, v_field, 2) as back,
              split_part(p.piece, v_field, 3) as replacement,
              split_part(p.piece, v_field, 4) as found, split_part(p.piece, v_field, 5) as rest
            from unnest(string_to_array(repeat(v_field, 4) || v_marked, v_match)) as p (piece)
            offset 0
          ) as s
          offset 0
        ) as k;
      end if;
      if v_rule.verifier is not null then
        select v.starts, v.lengths
        into strict v_part_starts, v_part_lengths
        from pgthreads.verified_parts(v_cores, v_rule.verifier) as v;
        exit when v_rule.counts_checked
          and cardinality(array_remove(v_part_starts, null)) = 0;
      end if;
      if v_rule.counts_checked and cardinality(v_cores) > v_left then
        select array_to_string((string_to_array(v_marked, v_match))[1:c.place - 1], '')
        into v_before
        from (
          select u.place
          from unnest(v_part_starts) with ordinality as u (start, place)
          where u.start is not null
          order by u.place
          limit 1 offset v_left
        ) as c;
        if found then
          v_kept := cardinality(string_to_array(v_before || v_between, v_between)) - 2;
          v_copy := array_to_string(
            (string_to_array(v_copy, v_between))[1:v_kept], v_between, '');
          v_is_direct := false;
          v_direct := null;
          v_scan := array_to_string(
            (string_to_array(v_scan, v_between))[1:v_kept], v_between, '');
          continue;
        end if;
      end if;

      select string_agg(w.lead || repeat(chr(1), w.bytes) || w.tail, '') as copy,
        case when v_rule.counts_checked then
          string_agg(
            case
              when w.bytes > 0 then w.lead || repeat(chr(1), w.bytes) || w.tail
              else repeat(chr(1), octet_length(w.core) - octet_length(right(w.core, 1)))
                || right(w.core, 1) || w.rest
            end, '')
        end as scan,
        case when v_is_direct then
          string_agg(w.lead || case when w.bytes > 0 then w.replacement else '' end || w.tail, '')
        end as text,
        array_agg(w.start) filter (where w.bytes > 0) as starts,
        array_agg(w.start + w.bytes) filter (where w.bytes > 0) as ends,
        array_agg(w.replacement) filter (where w.bytes > 0) as replacements,
        coalesce(bool_or(w.in_part), false) as in_part
      into strict v_found
      from (
        select m.lead, m.bytes, m.tail, m.replacement, m.in_part, m.core, m.rest,
          (octet_length(m.lead) + coalesce(
            sum(octet_length(m.lead) + m.bytes + octet_length(m.tail)) over (
              order by m.place rows between unbounded preceding and 1 preceding), 0))::int as start
        from (
          select c.place, c.replacement, c.core, c.rest,
            case
              when c.part_start > 0 then c.front || left(c.core, c.part_start)
              else c.front
            end as lead,
            case
              when c.part_length is null then 0
              when c.part_length = c.length then octet_length(c.core)
              else octet_length(substr(c.core, 1 + c.part_start, c.part_length))
            end as bytes,
            case
              when c.part_length is null then c.core || c.back || c.rest
              when c.part_length = c.length then c.back || c.rest
              else substr(c.core, 1 + c.part_start + c.part_length) || c.back || c.rest
            end as tail,
            c.part_length < c.length as in_part
          from (
            select a.place, a.core, a.rest, n.length,
              coalesce(a.front, '') as front, coalesce(a.back, '') as back,
              case when v_rule.is_plain then v_rule.replacement
                else a.replacement end as replacement,
              a.part_start,
              case
                when a.core = '' or n.length < v_rule.min_length then null
                when v_rule.verifier is null then n.length
                else a.part_length
              end as part_length
            -- The other arrays are those of an earlier rule.
            from unnest(
              v_cores, v_rests,
              case when not v_rule.is_plain then v_fronts end,
              case when not v_rule.is_plain then v_backs end,
              case when not v_rule.is_plain then v_found_replacements end,
              case when v_rule.verifier is not null then v_part_starts end,
              case when v_rule.verifier is not null then v_part_lengths end
            ) with ordinality as a (
              core, rest, front, back, replacement, part_start, part_length, place)
            cross join lateral (select char_length(a.core) as length) as n
            offset 0
          ) as c
          offset 0
        ) as m
        -- This is one order for all aggregates; an order in each of them would be a sort for each.
        order by m.place
      ) as w;
      v_left := v_left - case
        when v_rule.counts_checked then coalesce(cardinality(v_found.starts), 0)
        else cardinality(v_cores) - 1
      end;
      exit when v_found.starts is null;
      if v_scan is null then
        v_copy := v_found.copy;
      else
        v_bytes := convert_to(v_copy, 'UTF8');
        v_copy := (
          select string_agg(
              convert_from(substr(v_bytes, 1 + s.covered, s.start - s.covered), 'UTF8')
                || repeat(chr(1), s.ends - s.start), '' order by s.start)
            || convert_from(substr(v_bytes, 1 + max(s.ends)), 'UTF8')
          from (
            select u.start, u.ends, lag(u.ends, 1, 0) over (order by u.start) as covered
            from unnest(v_found.starts, v_found.ends) as u (start, ends)
          ) as s
        );
      end if;
      -- A match that is no secret need not be found again. Its last character stays, because rules
      -- look at the character before a match.
      v_scan := v_found.scan;
      v_direct := v_found.text;
      v_is_direct := false;
      v_starts := v_starts || v_found.starts;
      v_ends := v_ends || v_found.ends;
      v_replacements := v_replacements || v_found.replacements;
      exit when v_rule.verifier is null or not v_found.in_part or v_pass = 3;
      v_pass := v_pass + 1;
    end loop;
    if v_escapes and strpos(v_rule.pattern, '\\') > 0 then
      v_copy := pgthreads.hide_escapes(v_copy);
    end if;
  end loop;

  if v_kept < cardinality(p_texts) then
    v_text := array_to_string(p_texts[1:v_kept], v_between, '');
  elsif v_starts = '{}' then
    return p_texts;
  end if;
  if v_string_starts is not null then
    return array(
      select case
        when u.place > v_kept or u.place in (
          select width_bucket(s.start, (select v_string_starts || array[]::int[]))
          from unnest(v_starts) as s (start)
        ) then v_excess
        else u.string
      end
      from unnest(p_texts) with ordinality as u (string, place)
      order by u.place
    );
  end if;
  if v_direct is not null then
    return case when v_many then string_to_array(v_direct, v_between) else array[v_direct] end;
  end if;
  v_bytes := convert_to(v_text, 'UTF8');
  v_text := coalesce((
    select string_agg(
        convert_from(substr(v_bytes, 1 + c.covered, c.start - c.covered), 'UTF8') || c.replacement,
        ''
        order by c.start)
      || convert_from(substr(v_bytes, 1 + max(c.ends)), 'UTF8')
    from (
      -- A later rule may have found a span of which an earlier rule had replaced a part.
      select greatest(u.start, u.covered) as start, u.ends, u.covered, u.replacement
      from (
        select s.start, s.ends, s.replacement,
          coalesce(max(s.ends) over (
            order by s.start, s.ends desc rows between unbounded preceding and 1 preceding), 0)
            as covered
        from (
          -- The subqueries make the arrays flat once. width_bucket() would do that in each call
          -- with the array of a variable.
          select a.replacement,
            a.start + case
              when v_fold_starts is null then 0
              else v_fold_shifts[
                width_bucket(a.start, (select v_fold_starts || array[]::int[]))]
            end as start,
            a.ends + case
              when v_fold_starts is null then 0
              else v_fold_shifts[
                width_bucket(a.ends, (select v_fold_starts || array[]::int[]))]
            end as ends
          from unnest(v_starts, v_ends, v_replacements) as a (start, ends, replacement)
          where a.start < octet_length(v_copy)
        ) as s
      ) as u
      where u.ends > u.covered
    ) as c
  ), v_text);
  return case
      when v_kept = 0 then '{}'
      when v_many then string_to_array(v_text, v_between)
      else array[v_text]
    end
    || array_fill(v_excess, array[cardinality(p_texts) - v_kept]);
end;
$$;

comment on function pgthreads.redact_texts(text[], text) is
  'The strings with everything replaced that the enabled redaction rules, or the named one, find.';
revoke all on function pgthreads.redact_texts(text[], text) from public;
