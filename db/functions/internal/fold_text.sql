-- A text as redaction rules see it: format characters are out, and what is another form of an ASCII
-- character (NFKC: full width, mathematical; dashes, spaces; digits of other scripts) is that
-- character. A secret is found although a zero-width space stands in it. Returns the copy, and how
-- its bytes fall on those of the text: from byte p_starts[n] of the copy on they are p_shifts[n]
-- bytes further. What NFKC makes several characters of stays. The text has no U+FDD0 to U+FDD2.

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
  v_mark constant text := chr(64978);
  v_marked text := regexp_replace(
    p_text,
    '[\u00a0\u00aa\u00ad\u00b2\u00b3\u00b9\u00ba\u034f\u061c\u0660-\u0669\u06f0-\u06f9\u0966-\u096f'
    || '\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u2015\u2024\u2028-\u202f\u205f-\u209c'
    || '\u2100-\u214f\u2212\u2460-\u24ff\u3000\u3164\ufe00-\ufe0f\ufe30-\ufe6f'
    || '\ufeff-\uff5e\uffa0\ufff0-\uffff\U0001d400-\U0001d7ff\U0001f100-\U0001f16f'
    || '\U0001fbf0-\U0001fbf9\U000e0000-\U000e0fff]',
    v_mark || '\&', 'g');
begin
  if v_marked = p_text then
    copy := p_text;
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
        case
          when d.sign = '' then ''
          when c.code in (173, 847, 1564, 4447, 4448, 6068, 6069, 12644, 65279, 65440)
            or c.code between 6155 and 6159 or c.code between 8203 and 8207
            or c.code between 8234 and 8238 or c.code between 8288 and 8303
            or c.code between 65024 and 65039 or c.code between 65520 and 65531
            or c.code >= 917504
            then ''
          when c.code between 8208 and 8213 or c.code in (8722, 65112, 65123) then '-'
          when c.code in (5760, 8232, 8233) then ' '
          when c.code between 1632 and 1641 then chr(c.code - 1584)
          when c.code between 1776 and 1785 then chr(c.code - 1728)
          when c.code between 2406 and 2415 then chr(c.code - 2358)
          when char_length(normalize(d.sign, NFKC)) = 1 then normalize(d.sign, NFKC)
          else d.sign
        end as folded
      from (select distinct k.sign from pieces as k) as d
      cross join lateral (select case when d.sign <> '' then ascii(d.sign) end) as c (code)
    )
    -- Ordered once below: an order in each aggregate would be a sort for each.
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
  'The text without format characters and with ASCII for other forms of it, and where that was.';
revoke all on function pgthreads.fold_text(text) from public;
