-- A text as redaction rules see it: a copy in which fold_sign() has replaced each unusual
-- character. So a secret is found even if it has a zero-width space in it. The function also
-- returns where the copy's bytes are in the text: from byte starts[n] of the copy on, they are
-- shifts[n] bytes further on. A character that NFKC turns into several stays as it is. The text has
-- no U+FDD0 to U+FDD2.
--
-- For a text with more than 100,000 unusual characters only the copy is returned, because the
-- arrays cost several times as much. Most of such a text is a few characters that are repeated, and
-- one replace() for each of them costs least.

create or replace function pgthreads.fold_text(p_text text)
returns table (copy text, starts int[], shifts int[])
language plpgsql
immutable
parallel safe
rows 1
set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on
set jit = off
as $$
declare
  v_most constant int := 100000;
  v_mark constant text := chr(64978);
  v_unusual constant text :=
    '[\u00a0\u00aa\u00ad\u00b2\u00b3\u00b9\u00ba\u034f\u061c\u0660-\u0669\u06f0-\u06f9\u0966-\u096f'
    || '\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u2015\u2024\u2028-\u202f\u205f-\u209c'
    || '\u2100-\u214f\u2212\u2460-\u24ff\u3000\u3164\ufe00-\ufe0f\ufe30-\ufe6f'
    || '\ufeff-\uff5e\uffa0\ufff0-\uffff\U0001d400-\U0001d7ff\U0001f100-\U0001f16f'
    || '\U0001fbf0-\U0001fbf9\U000e0000-\U000e0fff]';
  v_marked text := regexp_replace(p_text, v_unusual, v_mark || '\&', 'g');
  v_sign text;
  v_rest text;
  v_before int;
begin
  if v_marked = p_text then
    copy := p_text;
    return next;
    return;
  end if;
  if octet_length(v_marked) - octet_length(p_text) > v_most * octet_length(v_mark) then
    copy := p_text;
    v_rest := p_text;
    for v_round in 1..24 loop
      v_sign := coalesce(substring(left(v_rest, 1000), v_unusual), substring(v_rest, v_unusual));
      exit when v_sign is null;
      v_before := octet_length(v_rest);
      v_rest := replace(v_rest, v_sign, '');
      -- Rare characters are replaced together, below.
      exit when v_before - octet_length(v_rest) < v_before / 50;
      copy := replace(copy, v_sign, pgthreads.fold_sign(v_sign));
    end loop;
    if v_sign is not null then
      if copy <> p_text then
        v_marked := regexp_replace(copy, v_unusual, v_mark || '\&', 'g');
      end if;
      with pieces as materialized (
        select p.place, left(p.piece, 1) as sign, right(p.piece, -1) as rest
        from unnest(string_to_array(v_marked, v_mark)) with ordinality as p (piece, place)
      ),
      signs as materialized (
        select d.sign, pgthreads.fold_sign(d.sign) as folded
        from (select distinct k.sign from pieces as k where k.place > 1) as d
      )
      select split_part(v_marked, v_mark, 1) || coalesce(string_agg(f.folded || f.rest, ''), '')
      into copy
      from (
        select g.folded, k.rest
        from pieces as k
        join signs as g on g.sign = k.sign
        where k.place > 1
        order by k.place
      ) as f;
    end if;
    return next;
    return;
  end if;
  return query
    with pieces as materialized (
      select p.place, p.piece, case when p.place = 1 then '' else left(p.piece, 1) end as sign
      from unnest(string_to_array(v_marked, v_mark)) with ordinality as p (piece, place)
    ),
    signs as materialized (
      select d.sign, octet_length(d.sign) as bytes,
        pgthreads.fold_sign(d.sign) as folded
      from (select distinct k.sign from pieces as k) as d
    )
    -- The rows are ordered once, below; an order in each aggregate would be a sort for each.
    select string_agg(f.folded || f.rest, ''),
      array_agg((f.copied + octet_length(f.folded))::int),
      array_agg((f.passed - f.copied + f.bytes - octet_length(f.folded))::int)
    from (
      select n.folded, n.rest, n.bytes,
        sum(octet_length(n.folded) + octet_length(n.rest)) over w
          - octet_length(n.folded) - octet_length(n.rest) as copied,
        sum(n.bytes + octet_length(n.rest)) over w - n.bytes - octet_length(n.rest) as passed
      from (
        select k.place, g.folded, g.bytes,
          case when k.place = 1 then k.piece else right(k.piece, -1) end as rest
        from pieces as k
        join signs as g on g.sign = k.sign
        offset 0
      ) as n
      window w as (order by n.place rows unbounded preceding)
      order by n.place
    ) as f;
end;
$$;

comment on function pgthreads.fold_text(text) is
  'The text without format characters and with ASCII in place of other forms, and where it was.';
revoke all on function pgthreads.fold_text(text) from public;
