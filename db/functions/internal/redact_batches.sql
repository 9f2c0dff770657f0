-- redact_bodies() for any number of UIMessages as canonical text, with their ids: in batches of
-- about 20,000 bytes, and a longer message alone. A batch in which no screen matches stays as it
-- is.
--
-- The result for a message must not depend on its neighbours, because otherwise it would differ
-- when the message is sent again. So no batch has as many matches as redact_texts() cuts out.

create or replace function pgthreads.redact_batches(p_ids text[], p_bodies text[])
returns text[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
  v_bodies text[] := p_bodies;
  v_first int;
  v_last int;
  v_batch text[];
begin
  for v_first, v_last in
    select min(n.place)::int, max(n.place)::int
    from (
      select l.place, l.is_long, count(*) filter (where l.is_long) over w as long_ones,
        sum(l.bytes) filter (where not l.is_long) over w / 20000 as batch
      from (
        select u.place, octet_length(u.body) as bytes, octet_length(u.body) > 20000 as is_long
        from unnest(p_bodies) with ordinality as u (body, place)
        offset 0
      ) as l
      window w as (order by l.place rows unbounded preceding)
    ) as n
    group by n.is_long, n.long_ones, n.batch
    order by 1
  loop
    v_batch := p_bodies[v_first:v_last];
    continue when not pgthreads.may_hold_secret((
      -- This leaves out the id, which may well look like a secret and stays as it is.
      select string_agg(case
        when starts_with(u.body, '{"id": "' || u.id) then right(u.body, -8 - char_length(u.id))
        else u.body
      end, E'\n')
      from unnest(p_ids[v_first:v_last], v_batch) as u (id, body)
    ));
    v_batch := pgthreads.redact_bodies(v_batch);
    for v_at in v_first..v_last loop
      v_bodies[v_at] := v_batch[v_at - v_first + 1];
    end loop;
  end loop;
  return v_bodies;
end;
$$;

comment on function pgthreads.redact_batches(text[], text[]) is
  'The texts of UIMessages with these ids, redacted in batches so that none depends on another.';
revoke all on function pgthreads.redact_batches(text[], text[]) from public;
